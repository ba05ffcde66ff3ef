"""Members × folds: the leaderboard of the page."""

from typing import TYPE_CHECKING

import numpy as np

from kit.metrics import unjudged
from kit.report.facts import BLEND, DRAWN, Facts
from kit.report.html import Cell, group, number, paragraph, table
from kit.report.judged import Scores, area_tells, cuts
from kit.report.leaderboard import MARKS, duration
from kit.report.pictures import Pictures, listing
from kit.report.progress import last_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def body(facts: Facts, pictures: Pictures) -> str:
    """The table, what must be known to read it, and the spread of the folds as a picture.

    The blend stands first, then the members, the best first; what matters most stands in the first columns, which a
    phone shows.
    """
    run, task, report = facts.run, facts.task, facts.report
    cut, area = cuts(run), area_tells(run)
    head = ["member", "out-of-fold", "mean", "weight", "sd", *(["ROC AUC"] if area else [])]
    head += [*(f"fold {fold}" for fold in run.folds), "time"]
    rows = [_row(facts, name, facts.scores[name], area) for name in facts.standing]
    shown: dict[str, list[float]] = {}
    if report and report.summary:
        folds = {int(fold): np.nan if s is None else s for fold, s in report.summary["folds"].items()}
        mean, sd = _spread(list(folds.values()))
        each = [number(folds.get(fold), 4) for fold in run.folds]
        auc = [number(report.auc)] if area else []
        rows.insert(0, [BLEND, number(report.summary["nested"]), mean, None, sd, *auc, *each, None])
        shown[BLEND] = list(folds.values())
    better = "higher" if task.metric.greater_is_better else "lower"
    caption = (
        f"{task.metric.name}, {better} is better; {len(run.plan):,} rows. A column is sorted by a click on its name."
    )
    some = [name for name in facts.standing if facts.scores[name].folds]
    shown |= {name: list(facts.scores[name].folds.values()) for name in some[:DRAWN]}
    rest = f" The {DRAWN} best of {len(some)} members." if len(some) > DRAWN else ""
    notes, picture = "".join(map(paragraph, _notes(facts, cut))), ""
    if shown:
        picture = pictures.draw(
            "scores-folds",
            f"{task.metric.name} of each member on each fold",
            "A dot is a fold, the bar their mean. Members are judged on the same folds, so compare dot with dot."
            + rest,
            lambda axes: _paint(axes, shown, task.metric.name, pictures),
            listing(len(shown)),
        )
    return table(head, rows, caption) + group(picture, f"<div>{notes}</div>" if notes else "")


def _row(facts: Facts, name: str, scores: Scores, area: bool) -> list[Cell]:
    shelf, weights = facts.run.shelf(name), facts.report.weights if facts.report else {}
    mean, sd = _spread(list(scores.folds.values()))
    cells: list[Cell] = [number(scores.pooled), mean, number(weights.get(name), 2), sd]
    cells += [number(scores.auc)] if area else []
    cells += [
        number(scores.folds[fold], 4) if fold in scores.folds else (MARKS[shelf.state(fold)], None)
        for fold in facts.run.folds
    ]
    star = "*" if facts.run.recipe.members[name].peeks else ""
    return [name + star, *cells, (duration(scores.seconds), scores.seconds)]


def _spread(scores: list[float]) -> list[Cell]:
    known = [score for score in scores if score == score]
    mean = float(np.mean(known)) if known else None
    return [number(mean, 4), number(float(np.std(known, ddof=1)) if len(known) > 1 else None, 4)]


def _notes(facts: Facts, cut: bool) -> list[str]:
    run, metric = facts.run, facts.task.metric
    notes = []
    if peeking := [name for name in facts.names if run.recipe.members[name].peeks]:
        notes.append(f"* {', '.join(peeking)}: stopped by the judged fold, so slightly optimistic.")
    if cut:
        notes.append(f"{metric.name} of a fold is taken at the threshold that is best on the other folds.")
    for fold in run.folds:
        if unseen := unjudged(metric, run.table.y[run.plan == fold]):
            columns = ", ".join(f"'{facts.task.targets[i]}'" for i in unseen)
            notes.append(f"Fold {fold}: labels of {columns} are all equal, so {metric.name} cannot judge them.")
    for name in facts.names:
        shelf = run.shelf(name)
        for fold in run.folds:
            if fold not in facts.folds[name] and shelf.state(fold) == "failed":
                notes.append(f"{name} fold {fold} failed: {last_line(shelf.part(fold) / 'error.txt')}")
    return notes


def _paint(axes: "Axes", scores: dict[str, list[float]], metric: str, pictures: Pictures) -> None:
    for place, (name, values) in enumerate(reversed(scores.items())):
        known = [value for value in values if value == value]
        axes.scatter(known, [place] * len(known), s=26, color=pictures.color(name), alpha=0.75, linewidths=0, zorder=3)
        if known:
            axes.plot([np.mean(known)] * 2, [place - 0.28, place + 0.28], color=pictures.color(name))
    axes.set_yticks(range(len(scores)), list(reversed(scores)))
    axes.set_ylim(-0.6, len(scores) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(metric)

"""Members × folds: the leaderboard of the page."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kit.blending import out_of_fold
from kit.ensemble.threshold import judge, judge_folds, says_yes, takes_threshold, unseen_thresholds
from kit.metrics import mean_roc_auc, unjudged
from kit.report.facts import BLEND, Facts
from kit.report.html import Cell, group, number, paragraph, table
from kit.report.leaderboard import MARKS, duration
from kit.report.pictures import Pictures
from kit.report.progress import last_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Scores:
    """What a member scores.

    Attributes:
        folds: fold → score, at the threshold that is best on the other folds where the metric has one.
        pooled: of all out-of-fold rows together; nan unless every fold is finished.
        auc: mean ROC AUC of the same, where predictions are cut into yes and no.
        seconds: spent on its finished folds.
    """

    folds: dict[int, float]
    pooled: float
    auc: float
    seconds: float


def member_scores(facts: Facts, name: str) -> Scores:
    """The scores of a member's finished folds."""
    run, found, metric = facts.run, facts.folds[name], facts.task.metric
    judged = np.isin(run.plan, list(found))
    y, p, plan = run.table.y[judged], out_of_fold(run, found)[judged], run.plan[judged]
    thresholds = unseen_thresholds(metric, y, p, plan)
    folds = {fold: judge(metric, y[plan == fold], p[plan == fold], cuts) for fold, cuts in thresholds.items()}
    whole = bool(found) and len(found) == len(run.folds)
    pooled = judge_folds(metric, y, p, plan, thresholds) if whole else np.nan
    auc = mean_roc_auc(y, p) if whole and says_yes(metric, y, p) else np.nan
    seconds = sum(sum(kept.score["seconds"].values()) for kept in found.values())
    return Scores(folds, pooled, auc, seconds)


def body(facts: Facts, pictures: Pictures) -> str:
    """The table, what must be known to read it, and the spread of the folds as a picture."""
    run, task = facts.run, facts.task
    scores = {name: member_scores(facts, name) for name in facts.names}
    cut, area = (asks(task.metric, run.table.y, np.empty((0, task.outputs))) for asks in (takes_threshold, says_yes))
    head = ["member", *(f"fold {fold}" for fold in run.folds), "mean", "sd", "out-of-fold"]
    head += [*(["ROC AUC"] if area else []), "weight", "time"]
    rows = [_row(facts, name, scores[name], area) for name in facts.names]
    report = facts.report
    if report and report.summary:
        folds = {int(fold): np.nan if s is None else s for fold, s in report.summary["folds"].items()}
        cells: list[Cell] = [number(folds.get(fold), 4) for fold in run.folds]
        cells += [*_spread(list(folds.values())), number(report.summary["nested"])]
        rows.append([BLEND, *cells, *([number(report.auc)] if area else []), None, None])
    better = "higher" if task.metric.greater_is_better else "lower"
    caption = (
        f"{task.metric.name}, {better} is better; {len(run.plan):,} rows. A column is sorted by a click on its name."
    )
    shown = {name: list(s.folds.values()) for name, s in scores.items() if s.folds}
    if report and report.summary:
        shown[BLEND] = list(folds.values())
    notes, picture = "".join(map(paragraph, _notes(facts, cut))), ""
    if shown:
        picture = pictures.draw(
            "scores-folds",
            f"{task.metric.name} of each member on each fold",
            "A dot is a fold, the bar their mean. Members are judged on the same folds, so compare dot with dot.",
            lambda axes: _paint(axes, shown, task.metric.name, pictures),
            (4.4, 0.9 + 0.36 * max(len(shown), 2)),
        )
    return table(head, rows, caption) + group(picture, f"<div>{notes}</div>" if notes else "")


def _row(facts: Facts, name: str, scores: Scores, area: bool) -> list[Cell]:
    shelf, weights = facts.run.shelf(name), facts.report.weights if facts.report else {}
    cells: list[Cell] = [
        number(scores.folds[fold], 4) if fold in scores.folds else (MARKS[shelf.state(fold)], None)
        for fold in facts.run.folds
    ]
    cells += [*_spread(list(scores.folds.values())), number(scores.pooled), *([number(scores.auc)] if area else [])]
    star = "*" if facts.run.recipe.members[name].peeks else ""
    return [name + star, *cells, number(weights.get(name), 2), (duration(scores.seconds), scores.seconds)]


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

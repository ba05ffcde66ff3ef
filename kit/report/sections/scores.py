"""Members × folds: the leaderboard of the page."""

from typing import TYPE_CHECKING

import numpy as np

from kit.core.units import duration
from kit.metrics import undefined_columns
from kit.report.data import BLEND, MAX_DRAWN, ReportData
from kit.report.html import Cell, PageLink, group, number, paragraph, stacked, table
from kit.report.leaderboard import MARKS
from kit.report.member_scores import MemberScores, shows_roc_auc, uses_threshold
from kit.report.plots import Figures, size_for_lines
from kit.report.sections.members import anchor

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def body(data: ReportData, figures: Figures) -> str:
    """The table, what must be known to read it, and the spread of the folds as a picture.

    The blend is the first row, then come the members, the best first. The most important columns are the first ones,
    which a phone shows.
    """
    run, task, report = data.run, data.task, data.report
    cut, area = uses_threshold(run), shows_roc_auc(run)
    head = ["member", "out-of-fold", "mean", "weight", "sd", *(["ROC AUC"] if area else [])]
    head += [*(f"fold {fold}" for fold in run.folds), "time"]
    rows = [_row(data, name, data.scores[name], area) for name in data.by_score]
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
        f"{task.metric.name}, {better} is better; {len(run.plan):,} rows. A click on a column's name sorts by it; "
        "a click on a member's name opens its curves, folds and settings."
    )
    some = [name for name in data.by_score if data.scores[name].folds]
    shown |= {name: list(data.scores[name].folds.values()) for name in some[:MAX_DRAWN]}
    rest = f" The {MAX_DRAWN} best of {len(some)} members." if len(some) > MAX_DRAWN else ""
    picture = ""
    if shown:
        picture = figures.draw(
            "scores-folds",
            f"{task.metric.name} of each member on each fold",
            "A dot is a fold, the bar is their mean. All members have the same folds, so their dots can be compared."
            + rest,
            lambda axes: _plot(axes, shown, task.metric.name, figures),
            size_for_lines(len(shown)),
        )
    notes = [paragraph(note) for note in _notes(data, cut, bool(report and report.summary))]
    return table(head, rows, caption) + group(picture, stacked(*notes))


def _row(data: ReportData, name: str, scores: MemberScores, area: bool) -> list[Cell]:
    store, weights = data.run.store(name), data.report.weights if data.report else {}
    mean, sd = _spread(list(scores.folds.values()))
    cells: list[Cell] = [number(scores.pooled), mean, number(weights.get(name), 2), sd]
    cells += [number(scores.auc)] if area else []
    cells += [
        number(scores.folds[fold], 4) if fold in scores.folds else (MARKS[store.state(fold)], None)
        for fold in data.run.folds
    ]
    star = "*" if name in _stopped(data) else ""
    return [
        PageLink(name + star, anchor(data, name)),
        *cells,
        (duration(scores.seconds) if scores.folds else "·", scores.seconds),
    ]


def _spread(scores: list[float]) -> list[Cell]:
    known = [score for score in scores if score == score]
    mean = float(np.mean(known)) if known else None
    return [number(mean, 4), number(float(np.std(known, ddof=1)) if len(known) > 1 else None, 4)]


def _notes(data: ReportData, cut: bool, blended: bool) -> list[str]:
    """What the columns of this table mean, and what went wrong; nothing that the table does not show."""
    run, metric = data.run, data.task.metric
    notes = [
        "out-of-fold: score of the predictions of all rows together, each by a model that was not trained "
        "on the row; · means that some folds are not finished. mean and sd: mean and standard deviation over the folds."
    ]
    if blended:
        notes.append(
            "blend: its weights are learnt without the fold that is scored. weight: weight of the member in the blend."
        )
    if stopped := _stopped(data):
        notes.append(
            f"* {', '.join(stopped)}: early stopping uses the fold that is scored, so the score is slightly optimistic."
        )
    if cut:
        notes.append(f"{metric.name} of a fold uses the threshold that is best on the other folds.")
    for fold in run.folds:
        if unseen := undefined_columns(metric, run.table.y[run.plan == fold]):
            columns = ", ".join(f"'{data.task.targets[i]}'" for i in unseen)
            notes.append(f"Fold {fold}: labels of {columns} are all equal, so {metric.name} is not defined for them.")
    for name in data.names:
        store = run.store(name)
        for fold in run.folds:
            if fold not in data.folds[name] and store.state(fold) == "failed":
                notes.append(f"{name} fold {fold} failed: {store.why(fold)}")
    return notes


def _stopped(data: ReportData) -> list[str]:
    """Members with a score that early stopping on the scored fold makes optimistic."""
    members = data.run.recipe.members
    return [name for name in data.names if data.folds[name] and members[name].early_stops_on_valid]


def _plot(axes: "Axes", scores: dict[str, list[float]], metric: str, figures: Figures) -> None:
    for place, (name, values) in enumerate(reversed(scores.items())):
        known = [value for value in values if value == value]
        axes.scatter(known, [place] * len(known), s=26, color=figures.color(name), alpha=0.75, linewidths=0, zorder=3)
        if known:
            axes.plot([np.mean(known)] * 2, [place - 0.28, place + 0.28], color=figures.color(name))
    axes.set_yticks(range(len(scores)), list(reversed(scores)))
    axes.set_ylim(-0.6, len(scores) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(metric)

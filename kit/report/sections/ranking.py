"""ROC and precision-recall curves of binary and multilabel tasks."""

from itertools import starmap
from typing import TYPE_CHECKING

import numpy as np

from kit.report.data import ReportData
from kit.report.html import Cell, group, number, paragraph, table
from kit.report.plots import Figures, legend, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_POINTS = 400  # of a drawn curve
MAX_LINES = 8  # curves in a picture
Curve = tuple[str, np.ndarray, np.ndarray, float]  # name, x, y, area


def body(data: ReportData, figures: Figures) -> str:
    """Binary: the curves of blend and members. Multilabel: the curves of the blend for each column."""
    if not data.predictions:
        return paragraph("No fold is finished yet.")
    several, of = data.task.kind == "multilabel", data.leader
    y, there = data.y >= 0.5, ~np.isnan(data.y)
    if several:
        columns = [(y[rows, i], data.predictions[of][rows, i]) for i, rows in enumerate(there.T)]
        named = dict(zip(data.task.targets, columns, strict=True))
    else:
        named = {name: (y[:, 0], data.predictions[name][:, 0]) for name in data.listed}
    known = {name: (truth, p) for name, (truth, p) in named.items() if truth.any() and not truth.all()}
    left = [name for name in named if name not in known]
    if not known:
        return paragraph("All labels are equal, so there is nothing to rank.")
    triples = [(name, truth, p) for name, (truth, p) in known.items()][:MAX_LINES]
    whose = f" of the {of}" if several else ""
    rest = f" The first {MAX_LINES} of {len(known)}; the table has all." if len(known) > MAX_LINES else ""
    drawn = [
        figures.draw(
            "ranking-roc", f"ROC curves{whose}",
            f"ROC curve{whose}; the legend gives the area under it.{rest}{data.partial_note}",
            lambda axes: plot_curves(axes, list(starmap(roc, triples)), figures, several, "roc"), (4.4, 3.8),
        ),
        figures.draw(
            "ranking-precision-recall", f"Precision-recall curves{whose}",
            f"Precision against recall{whose}; the legend gives average precision.{rest}{data.partial_note}",
            lambda axes: plot_curves(axes, list(starmap(precision_recall, triples)), figures, several, "pr"),
            (4.4, 3.8),
        ),
    ]  # fmt: skip
    notes = [paragraph(f"Labels of {', '.join(left)} are all equal: no curve.")] if left else []
    return group(*drawn) + _table(data) + "".join(notes)


def roc(name: str, y: np.ndarray, p: np.ndarray) -> Curve:
    """The ROC curve of labels (n,) and predictions (n,), thinned, with its area."""
    from sklearn.metrics import auc, roc_curve

    false, true, _ = roc_curve(y, p)
    at = list(thinned(len(false), MAX_POINTS))
    return name, false[at], true[at], float(auc(false, true))


def precision_recall(name: str, y: np.ndarray, p: np.ndarray) -> Curve:
    """The precision-recall curve as steps, thinned so that the area under the steps stays the average precision."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(y, p)
    recall, best = np.unique(recall[::-1], return_index=True)  # of equal recalls, the first has the best precision
    below = np.cumsum(np.diff(recall, prepend=0.0) * precision[::-1][best])  # of which the last is average precision
    at = list(thinned(len(recall), MAX_POINTS))
    # a step is as high as the mean precision of the recalls that it spans, so that thinning leaves the area alone
    x, height = recall[at], np.diff(below[at]) / np.diff(recall[at])
    return name, x, np.append(height[:1], height), float(average_precision_score(y, p))


def plot_curves(axes: "Axes", curves: list[Curve], figures: Figures, several: bool, kind: str) -> None:
    """Draws curves of one kind, "roc" or "pr", with their areas in the legend."""
    # as average precision is defined: no line through precisions that no threshold has (Davis & Goadrich 2006)
    style, lines = "default" if kind == "roc" else "steps-pre", {}
    for index, (name, x, y, area) in enumerate(curves):
        color = figures.color(index) if several else figures.color(name)
        lines[f"{name}  {area:.4f}"] = axes.plot(x, y, color=color, drawstyle=style, linewidth=1.4)[0]
    if kind == "roc":
        axes.plot([0, 1], [0, 1], color=axes.spines["left"].get_edgecolor(), linewidth=1)
    axes.set_xlabel("false positive rate" if kind == "roc" else "recall")
    axes.set_ylabel("true positive rate" if kind == "roc" else "precision")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    legend(axes, lines, "lower right" if kind == "roc" else "lower left")


def _table(data: ReportData) -> str:
    from sklearn.metrics import average_precision_score, roc_auc_score

    rows: list[list[Cell]] = []
    for i, target in enumerate(data.task.targets):
        known = ~np.isnan(data.y[:, i])
        y = data.y[known, i] >= 0.5
        for name in data.listed:
            p = data.predictions[name][known, i]
            areas: list[Cell] = [None, None]
            if y.any() and not y.all():
                areas = [number(float(score(y, p))) for score in (roc_auc_score, average_precision_score)]
            rows.append([f"{target} · {name}", int(y.sum()), number(float(y.mean()), 4), *areas])
    return table(
        ["column · member", "positives", "share", "ROC AUC", "average precision"], rows,
        f"For the same {len(data.y):,} out-of-fold rows, without any threshold.{data.unlisted_note}",
    )  # fmt: skip

"""ROC and precision-recall curves of tasks whose answers are yes or no."""

from typing import TYPE_CHECKING

import numpy as np

from kit.report.facts import Facts
from kit.report.html import Cell, group, number, paragraph, table
from kit.report.pictures import Pictures, legend, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 400  # points of a drawn curve
LINES = 8  # curves in a picture
Curve = tuple[str, np.ndarray, np.ndarray, float]  # name, x, y, area


def body(facts: Facts, pictures: Pictures) -> str:
    """Binary: the curves of blend and members. Multilabel: those of each column, of the blend."""
    if not facts.predictions:
        return paragraph("No fold is finished yet.")
    several, of = facts.task.kind == "multilabel", facts.leader
    y = facts.y >= 0.5
    if several:
        named = {t: (y[:, i], facts.predictions[of][:, i]) for i, t in enumerate(facts.task.targets)}
    else:
        named = {name: (y[:, 0], facts.predictions[name][:, 0]) for name in facts.listed}
    known = {name: (truth, p) for name, (truth, p) in named.items() if truth.any() and not truth.all()}
    left = [name for name in named if name not in known]
    if not known:
        return paragraph("Labels are all equal, so there is nothing to rank.")
    drawn = dict(list(known.items())[:LINES])
    whose = f" of the {of}" if several else ""
    rest = f" The first {LINES} of {len(known)}; the table has all." if len(known) > LINES else ""
    figures = [
        pictures.draw(
            "ranking-roc", f"ROC curves{whose}",
            f"ROC{whose}: positives found against false alarms; the legend gives the area.{rest}{facts.partial}",
            lambda axes: _paint(axes, [_roc(n, *v) for n, v in drawn.items()], pictures, several, "roc"), (4.4, 3.8),
        ),
        pictures.draw(
            "ranking-precision-recall", f"Precision-recall curves{whose}",
            f"Precision against recall{whose}; the legend gives average precision.{rest}{facts.partial}",
            lambda axes: _paint(axes, [_recall(n, *v) for n, v in drawn.items()], pictures, several, "pr"), (4.4, 3.8),
        ),
    ]  # fmt: skip
    notes = [paragraph(f"Labels of {', '.join(left)} are all equal: no curve.")] if left else []
    return group(*figures) + _table(facts, y) + "".join(notes)


def _roc(name: str, y: np.ndarray, p: np.ndarray) -> Curve:
    from sklearn.metrics import auc, roc_curve

    false, true, _ = roc_curve(y, p)
    at = list(thinned(len(false), MOST))
    return name, false[at], true[at], float(auc(false, true))


def _recall(name: str, y: np.ndarray, p: np.ndarray) -> Curve:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(y, p)
    recall, best = np.unique(recall[::-1], return_index=True)  # of equal recalls the first is that of best precision
    below = np.cumsum(np.diff(recall, prepend=0.0) * precision[::-1][best])  # of which the last is average precision
    at = list(thinned(len(recall), MOST))
    # a step is as high as the mean precision of the recalls that it spans, so that thinning leaves the area alone
    x, height = recall[at], np.diff(below[at]) / np.diff(recall[at])
    return name, x, np.append(height[:1], height), float(average_precision_score(y, p))


def _paint(axes: "Axes", curves: list[Curve], pictures: Pictures, several: bool, kind: str) -> None:
    # as average precision is defined: no line through precisions that no threshold has (Davis & Goadrich 2006)
    style, lines = "default" if kind == "roc" else "steps-pre", {}
    for index, (name, x, y, area) in enumerate(curves):
        color = pictures.color(index) if several else pictures.color(name)
        lines[f"{name}  {area:.4f}"] = axes.plot(x, y, color=color, drawstyle=style, linewidth=1.4)[0]
    if kind == "roc":
        axes.plot([0, 1], [0, 1], color=axes.spines["left"].get_edgecolor(), linewidth=1)
    axes.set_xlabel("false positive rate" if kind == "roc" else "recall")
    axes.set_ylabel("true positive rate" if kind == "roc" else "precision")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    legend(axes, lines, "lower right" if kind == "roc" else "lower left")


def _table(facts: Facts, y: np.ndarray) -> str:
    from sklearn.metrics import average_precision_score, roc_auc_score

    rows: list[list[Cell]] = []
    for i, target in enumerate(facts.task.targets):
        for name in facts.listed:
            p = facts.predictions[name]
            areas: list[Cell] = [None, None]
            if y[:, i].any() and not y[:, i].all():
                areas = [number(float(score(y[:, i], p[:, i]))) for score in (roc_auc_score, average_precision_score)]
            rows.append([f"{target} · {name}", int(y[:, i].sum()), number(float(y[:, i].mean()), 4), *areas])
    return table(
        ["column · member", "positives", "share", "ROC AUC", "average precision"], rows,
        f"Of the same {len(y):,} out-of-fold rows, without any threshold.{facts.unlisted}",
    )  # fmt: skip

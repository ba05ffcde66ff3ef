"""The confusion matrix of a multiclass task."""

from typing import TYPE_CHECKING

import numpy as np

from kit.report.data import ReportData
from kit.report.heatmap import heatmap
from kit.report.html import Cell, group, number, paragraph, shortened, table
from kit.report.plots import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 20  # classes in the picture


def confusion(y: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts: rows are true classes, columns predicted ones."""
    return np.bincount(y * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def body(data: ReportData, figures: Figures) -> str:
    """The matrix, each row as shares of its true class, and precision and recall of each class."""
    if not data.predictions:
        return paragraph("No fold is finished yet.")
    names = [str(name) for name in data.task.classes]
    counts = confusion(data.y[:, 0].astype(int), data.predictions[data.leader].argmax(axis=1), len(data.task.classes))
    common = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST])
    rest = f" The {MOST} most frequent of {len(names)} classes." if len(names) > MOST else ""
    inches = 2.2 + 0.36 * len(common)
    figure = figures.draw(
        "confusion-matrix",
        f"Confusion matrix of the {data.leader}",
        f"Of the rows of a class (left), the share that the {data.leader} takes for each class (below).{rest}"
        + data.partial_note,
        lambda axes: _plot(axes, counts, common, names),
        (max(inches, 4.2), max(inches * 0.86, 3.4)),
    )
    rows: list[list[Cell]] = []
    for i, name in enumerate(names):
        true, predicted, hits = counts[i].sum(), counts[:, i].sum(), counts[i, i]
        precision, recall = hits / predicted if predicted else None, hits / true if true else None
        wrong = counts[i].copy()
        wrong[i] = 0
        taken = f"{names[int(wrong.argmax())]} ({wrong.max()})" if wrong.any() else "·"
        f1 = 2 * hits / (true + predicted) if true + predicted else None
        rows.append([name, int(true), int(predicted), number(precision, 3), number(recall, 3), number(f1, 3), taken])
    head = ["class", "rows", "predicted", "precision", "recall", "F1", "most often taken for"]
    return group(figure, table(head, rows, f"The predicted class is the most probable one, by the {data.leader}."))


def _plot(axes: "Axes", counts: np.ndarray, common: np.ndarray, names: list[str]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    heatmap(axes, shares[np.ix_(common, common)], [shortened(names[i], 18) for i in common], low=0.0, digits=2)
    axes.set_ylabel("true class")
    axes.set_xlabel("predicted class")

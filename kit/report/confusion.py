"""Which class is taken for which: the confusion matrix of a multiclass task."""

from typing import TYPE_CHECKING

import numpy as np

from kit.report.facts import Facts
from kit.report.html import Cell, number, paragraph, shortened, table
from kit.report.pictures import Pictures
from kit.report.shades import heat

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 20  # classes in the picture


def confusion(y: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts: rows are true classes, columns what was said."""
    return np.bincount(y * classes + said, minlength=classes * classes).reshape(classes, classes)


def body(facts: Facts, pictures: Pictures) -> str:
    """The matrix, each row as shares of its true class, and precision and recall of each class."""
    if not facts.predictions:
        return paragraph("No fold is finished yet.")
    names = [str(name) for name in facts.task.classes]
    counts = confusion(
        facts.y[:, 0].astype(int), facts.predictions[facts.leader].argmax(axis=1), len(facts.task.classes)
    )
    common = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST])
    rest = f" The {MOST} commonest of {len(names)} classes." if len(names) > MOST else ""
    inches = 2.2 + 0.36 * len(common)
    figure = pictures.draw(
        "confusion-matrix",
        f"Confusion matrix of the {facts.leader}",
        f"Of the rows of a class (left), the share that the {facts.leader} takes for each class (below).{rest}"
        + facts.partial,
        lambda axes: _paint(axes, counts, common, names),
        (max(inches, 4.2), max(inches * 0.86, 3.4)),
    )
    rows: list[list[Cell]] = []
    for i, name in enumerate(names):
        true, said, hits = counts[i].sum(), counts[:, i].sum(), counts[i, i]
        precision, recall = hits / said if said else None, hits / true if true else None
        wrong = counts[i].copy()
        wrong[i] = 0
        taken = f"{names[int(wrong.argmax())]} ({wrong.max()})" if wrong.any() else "·"
        f1 = 2 * hits / (true + said) if true + said else None
        rows.append([name, int(true), int(said), number(precision, 3), number(recall, 3), number(f1, 3), taken])
    head = ["class", "rows", "said", "precision", "recall", "F1", "most often taken for"]
    return figure + table(head, rows, f"Each class by its most probable answer, {facts.leader}.")


def _paint(axes: "Axes", counts: np.ndarray, common: np.ndarray, names: list[str]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    heat(axes, shares[np.ix_(common, common)], [shortened(names[i], 18) for i in common], low=0.0, digits=2)
    axes.set_ylabel("true class")
    axes.set_xlabel("said")

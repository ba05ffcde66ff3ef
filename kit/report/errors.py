"""Which members err alike: the more their errors differ, the more a blend of them can gain."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from kit.report import left_out
from kit.report.facts import DRAWN, Facts
from kit.report.html import Cell, group, number, paragraph, table
from kit.report.pictures import Pictures
from kit.report.shades import heat

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAIRS = 60  # of a table


def residuals(facts: Facts, p: np.ndarray, column: int) -> np.ndarray:
    """(n,) label minus prediction (n, outputs) in a column; a class is 1 where it is the true one."""
    y = facts.y[:, 0] == column if facts.task.kind == "multiclass" else facts.y[:, column]
    return np.asarray(y - p[:, column], dtype=np.float64)


def correlations(columns: Iterable[np.ndarray]) -> np.ndarray:
    """(members, members) Pearson correlation of errors, a mean over the columns (members, n) that have one."""
    total: np.ndarray | float = 0.0
    count: np.ndarray | int = 0
    for errors in columns:
        centred = errors - errors.mean(axis=1, keepdims=True)
        inner = centred @ centred.T
        norms = np.sqrt(np.outer(inner.diagonal(), inner.diagonal()))
        total, count = total + np.where(norms > 0, inner / np.where(norms > 0, norms, 1), 0), count + (norms > 0)
    return np.where(count, total / np.maximum(count, 1), np.nan).clip(-1, 1)


def body(facts: Facts, pictures: Pictures) -> str:
    """The matrix of correlations, the pairs that differ most, and what each member adds to the blend."""
    if len(facts.members) < 2:
        return paragraph("It takes two members with finished folds to compare errors.")
    names = [name for name in facts.members if name in facts.ranking[:DRAWN]]
    rest = f" The {DRAWN} best of {len(facts.members)} members." if len(facts.members) > DRAWN else ""
    # a column at a time: errors of all would be the bank once more, in numbers twice as long
    matrix = correlations(
        np.stack([residuals(facts, facts.members[name], column) for name in names])
        for column in range(facts.task.outputs)
    )
    inches = 2.4 + 0.38 * len(names)
    figure = pictures.draw(
        "errors-correlation", "Correlation of the members' errors",
        "Correlation of label minus out-of-fold prediction, a mean over columns. Pale pairs err differently: "
        f"blending them promises most.{rest}{facts.partial}",
        lambda axes: _paint(axes, matrix, names), (max(inches, 4.2), max(inches * 0.86, 3.2)),
    )  # fmt: skip
    pairs = [(matrix[i, j], i, j) for i in range(len(names)) for j in range(i)]
    rows: list[list[Cell]] = [[f"{names[j]} · {names[i]}", number(float(value), 4)] for value, i, j in sorted(pairs)]
    caption = "The pairs that differ most come first." + (f" {PAIRS} of {len(rows)}." if len(rows) > PAIRS else "")
    pairwise = table(["pair", "correlation of errors"], rows[:PAIRS], caption)
    return group(figure, pairwise) + left_out.body(facts)


def _paint(axes: "Axes", matrix: np.ndarray, names: list[str]) -> None:
    heat(axes, matrix, names, low=np.floor(np.nanmin(matrix) * 5) / 5 if np.isfinite(matrix).any() else 0.0, digits=2)

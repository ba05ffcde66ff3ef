"""Correlation of the members' errors: the less correlated they are, the more a blend can gain."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from kit.report.data import MAX_DRAWN, ReportData
from kit.report.heatmap import heatmap
from kit.report.html import Cell, group, number, stacked, table
from kit.report.plots import Figures
from kit.report.sections import left_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAIRS = 60  # of a table


def residuals(data: ReportData, p: np.ndarray, column: int) -> np.ndarray:
    """(n,) label minus prediction (n, outputs) in a column; the label of a class is 1 if it is the true class."""
    y = data.y[:, 0] == column if data.task.kind == "multiclass" else data.y[:, column]
    return np.asarray(y - p[:, column], dtype=np.float64)


def correlations(columns: Iterable[np.ndarray]) -> np.ndarray:
    """(members, members) Pearson correlation of errors, the mean over the columns (members, n) that have one."""
    total: np.ndarray | float = 0.0
    count: np.ndarray | int = 0
    for errors in columns:
        errors = errors[:, ~np.isnan(errors).any(axis=0)]  # rows whose label is known
        centred = errors - errors.mean(axis=1, keepdims=True)
        inner = centred @ centred.T
        norms = np.sqrt(np.outer(inner.diagonal(), inner.diagonal()))
        total, count = total + np.where(norms > 0, inner / np.where(norms > 0, norms, 1), 0), count + (norms > 0)
    return np.where(count, total / np.maximum(count, 1), np.nan).clip(-1, 1)


def body(data: ReportData, figures: Figures) -> str:
    """The matrix of correlations, the pairs that differ most, and what each member adds; empty for one member."""
    if len(data.members) < 2:
        return ""
    names = [name for name in data.members if name in data.best_first[:MAX_DRAWN]]
    rest = f" The {MAX_DRAWN} best of {len(data.members)} members." if len(data.members) > MAX_DRAWN else ""
    # one column at a time: the errors of all columns would need twice the memory of the bank
    matrix = correlations(
        np.stack([residuals(data, data.members[name], column) for name in names]) for column in range(data.task.outputs)
    )
    inches = 2.4 + 0.38 * len(names)
    figure = figures.draw(
        "errors-correlation", "Correlation of the members' errors",
        "Correlation of label minus out-of-fold prediction, a mean over columns. A blend gains most from "
        f"pairs with a low correlation (pale).{rest}{data.partial_note}",
        lambda axes: _plot(axes, matrix, names), (max(inches, 4.2), max(inches * 0.86, 3.2)),
    )  # fmt: skip
    pairs = [(matrix[i, j], i, j) for i in range(len(names)) for j in range(i)]
    rows: list[list[Cell]] = [[f"{names[j]} · {names[i]}", number(float(value), 4)] for value, i, j in sorted(pairs)]
    caption = "The pairs that differ most come first." + (f" {PAIRS} of {len(rows)}." if len(rows) > PAIRS else "")
    pairwise = table(["pair", "correlation of errors"], rows[:PAIRS], caption)
    return group(figure, stacked(pairwise, left_out.body(data)))


def _plot(axes: "Axes", matrix: np.ndarray, names: list[str]) -> None:
    low = np.floor(np.nanmin(matrix) * 5) / 5 if np.isfinite(matrix).any() else 0.0
    heatmap(axes, matrix, names, low=low, digits=2)

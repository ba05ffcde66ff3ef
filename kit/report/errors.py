"""Which members err alike: the more their errors differ, the more a blend of them can gain."""

from typing import TYPE_CHECKING

import numpy as np

from kit.report import left_out
from kit.report.facts import Facts
from kit.report.html import Cell, group, number, paragraph, table
from kit.report.pictures import Pictures
from kit.report.shades import heat

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def residuals(facts: Facts, p: np.ndarray) -> np.ndarray:
    """(n, outputs) label minus prediction; of classes, an indicator of the true one minus its probability."""
    y = facts.y
    if facts.task.kind == "multiclass":
        y = np.eye(p.shape[1])[y[:, 0].astype(int)]
    return np.asarray(y - p)


def correlations(errors: np.ndarray) -> np.ndarray:
    """(members, members) Pearson correlation of errors (members, n, outputs), a mean over the outputs that have one."""
    centred = errors - errors.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=1))  # (members, outputs)
    inner = np.einsum("ino,jno->ijo", centred, centred, optimize=True)
    norms = scale[:, None] * scale[None]
    each = np.where(norms > 0, inner / np.where(norms > 0, norms, 1), np.nan)
    known = ~np.isnan(each)
    total, count = np.where(known, each, 0).sum(axis=-1), known.sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).clip(-1, 1)


def body(facts: Facts, pictures: Pictures) -> str:
    """The matrix of correlations, the pairs that differ most, and what each member adds to the blend."""
    names = list(facts.members)
    if len(names) < 2:
        return paragraph("It takes two members with finished folds to compare errors.")
    matrix = correlations(np.stack([residuals(facts, facts.members[name]) for name in names]))
    inches = 2.4 + 0.42 * min(len(names), 20)
    figure = pictures.draw(
        "errors-correlation", "Correlation of the members' errors",
        "Correlation of label minus out-of-fold prediction, a mean over columns. Pale pairs err differently: "
        f"blending them promises most.{facts.partial}",
        lambda axes: _paint(axes, matrix, names), (max(inches, 4.2), max(inches * 0.86, 3.2)),
    )  # fmt: skip
    pairs = [(matrix[i, j], i, j) for i in range(len(names)) for j in range(i)]
    rows: list[list[Cell]] = [[f"{names[j]} · {names[i]}", number(float(value), 4)] for value, i, j in sorted(pairs)]
    pairwise = table(["pair", "correlation of errors"], rows[:60], "The pairs that differ most come first.")
    return group(figure, pairwise) + left_out.body(facts)


def _paint(axes: "Axes", matrix: np.ndarray, names: list[str]) -> None:
    heat(axes, matrix, names, low=np.floor(np.nanmin(matrix) * 5) / 5 if np.isfinite(matrix).any() else 0.0, digits=2)

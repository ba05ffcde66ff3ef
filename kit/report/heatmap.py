"""A matrix as shades of one colour, with its numbers if there is room."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUMBERED = 14  # largest number of columns with room for numbers
SHADES = ("#f1f5f9", "#9cc0e2", "#3f80bf", "#1d4f86")  # none of them is a colour that the page exchanges


def heatmap(axes: "Axes", values: np.ndarray, names: Sequence[str], low: float, digits: int) -> None:
    """Draws a square matrix (n, n) with the same names on both sides; nan stays empty.

    Args:
        low: value of the lightest shade; the darkest is 1.
        digits: digits of the numbers.
    """
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("shades", SHADES)
    picture = axes.imshow(values, cmap=shades, vmin=low, vmax=1, interpolation="nearest")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    if len(names) > NUMBERED:
        axes.figure.colorbar(picture, ax=axes, shrink=0.6).outline.set_visible(False)  # type: ignore[operator]
        return
    for (row, column), value in np.ndenumerate(values):
        if value == value:
            red, green, blue, _ = shades((value - low) / max(1 - low, 1e-9))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.58
            words = f"{value:.{digits}f}"
            axes.text(column, row, words, ha="center", va="center", fontsize=8, color="#fdfdfd" if dark else "#22282f")

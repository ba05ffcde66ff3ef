"""What training logs hold under one name, as lines of a picture."""

from typing import TYPE_CHECKING

from kit.report.plots import thinned
from kit.report.style import SERIES
from kit.report.training_log import Log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_POINTS = 500  # of a drawn curve


def plot_series(axes: "Axes", found: dict[str, Log], what: str) -> None:
    """What was logged under one name by step, a line for each fold."""
    for index, (part, log) in enumerate(found.items()):
        lines = [line for line in log if isinstance(line.get(what), (int, float))]
        lines = [lines[i] for i in thinned(len(lines), MAX_POINTS)]
        steps, values = [line["step"] for line in lines], [line[what] for line in lines]
        marker = "o" if len(lines) < 12 else ""
        axes.plot(
            steps, values, marker=marker, color=SERIES[index % len(SERIES)], label=part, linewidth=1.2, markersize=3
        )
    axes.set_xlabel("step")
    axes.set_ylabel(what)
    if len(found) <= 10:
        axes.legend()

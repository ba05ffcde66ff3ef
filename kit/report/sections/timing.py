"""The time of each member."""

from typing import TYPE_CHECKING

from kit.core.units import duration
from kit.report.data import MAX_DRAWN, ReportData
from kit.report.html import Cell, group, number, paragraph, table
from kit.report.plots import Figures, size_for_lines
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def spent(data: ReportData, name: str) -> dict[str, float]:
    """Seconds of a member's finished folds: purpose → seconds."""
    total: dict[str, float] = {}
    for kept in data.folds[name].values():
        for what, seconds in kept.score["seconds"].items():
            total[what] = total.get(what, 0.0) + seconds
    return total


def body(data: ReportData, figures: Figures) -> str:
    """Seconds of each member, as a picture and as a table; those of each fold are shown with the member."""
    times = {name: spent(data, name) for name in data.names if data.folds[name]}
    if not times:
        return paragraph("No fold is finished yet.")
    total = sum(sum(parts.values()) for parts in times.values())
    longest = sorted(times, key=lambda name: -sum(times[name].values()))
    drawn = {name: parts for name, parts in times.items() if name in longest[:MAX_DRAWN]}
    rest = f" The {MAX_DRAWN} of {len(times)} members that took the longest time." if len(times) > MAX_DRAWN else ""
    figure = figures.draw(
        "timing-members", "Time spent on each member",
        f"{duration(total)} in all, finished folds only; members fitted at the same time are added up.{rest}",
        lambda axes: plot_times(axes, drawn), size_for_lines(len(drawn)),
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for name in longest:
        counts = [kept.score.get("rows", {}) for kept in data.folds[name].values()]
        predicted = sum(count.get("valid", 0) + count.get("test", 0) for count in counts)
        seconds = times[name]
        speed = predicted / seconds["predict"] if seconds.get("predict") else None
        cells = [number(seconds.get("fit"), 1), number(seconds.get("predict"), 1), number(speed, 0)]
        rows.append([name, len(counts), *cells])
    head = ["member", "folds", "fit s", "predict s", "rows predicted/s"]
    return group(figure, table(head, rows, "Wall-clock seconds of all finished folds of a member."))


def plot_times(axes: "Axes", times: dict[str, dict[str, float]]) -> None:
    """Draws a bar for each member, in pieces for each purpose."""
    longest = max(sum(parts.values()) for parts in times.values())
    unit, name = (3600, "hours") if longest > 7200 else (60, "minutes") if longest > 180 else (1, "seconds")
    names = list(reversed(times))
    kinds = list(dict.fromkeys(kind for parts in times.values() for kind in parts))
    start = dict.fromkeys(names, 0.0)
    for index, kind in enumerate(kinds):
        widths = [times[n].get(kind, 0.0) / unit for n in names]
        axes.barh(names, widths, left=list(start.values()), height=0.6, color=LIGHT[f"s{index % 8}"], label=kind)
        start = {n: start[n] + width for n, width in zip(names, widths, strict=True)}
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(name)
    axes.legend(loc="best")

"""Where the hours went."""

from typing import TYPE_CHECKING

from kit.report.facts import DRAWN, Facts
from kit.report.html import Cell, number, paragraph, table
from kit.report.leaderboard import duration
from kit.report.pictures import Pictures, listing
from kit.report.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def spent(facts: Facts, name: str) -> dict[str, float]:
    """Seconds of a member's finished folds: what for → how many."""
    total: dict[str, float] = {}
    for kept in facts.folds[name].values():
        for what, seconds in kept.score["seconds"].items():
            total[what] = total.get(what, 0.0) + seconds
    return total


def body(facts: Facts, pictures: Pictures) -> str:
    """Seconds of each member, and of each of its folds."""
    times = {name: spent(facts, name) for name in facts.names if facts.folds[name]}
    if not times:
        return paragraph("No fold is finished yet.")
    total = sum(sum(parts.values()) for parts in times.values())
    longest = sorted(times, key=lambda name: -sum(times[name].values()))[:DRAWN]
    drawn = {name: parts for name, parts in times.items() if name in longest}
    rest = f" The {DRAWN} of {len(times)} members that took longest." if len(times) > DRAWN else ""
    figure = pictures.draw(
        "timing-members", "Time spent on each member",
        f"{duration(total)} in all, finished folds only; members fitted at the same time are added up.{rest}",
        lambda axes: _paint(axes, drawn), listing(len(drawn)),
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for name in times:
        for fold, kept in sorted(facts.folds[name].items()):
            seconds, count = kept.score["seconds"], kept.score.get("rows", {})
            predicted = count.get("valid", 0) + count.get("test", 0)
            pace = predicted / seconds["predict"] if seconds.get("predict") else None
            cells = [number(seconds.get("fit"), 1), number(seconds.get("predict"), 1), number(pace, 0)]
            rows.append([f"{name} · fold {fold}", count.get("train"), *cells])
    head = ["member · fold", "rows learnt from", "fit s", "predict s", "rows predicted a second"]
    return figure + table(head, rows, "Wall-clock seconds of each finished fold.")


def _paint(axes: "Axes", times: dict[str, dict[str, float]]) -> None:
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

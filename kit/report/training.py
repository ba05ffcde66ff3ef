"""Training curves, from the log that a network's fit leaves in its fold."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.report.facts import Facts
from kit.report.html import group, paragraph
from kit.report.pictures import Pictures, thinned
from kit.report.style import LIGHT, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 500  # points of a drawn curve
Log = list[dict[str, Any]]


def logs(folder: Path) -> dict[str, Log]:
    """Every log.jsonl below a fold's folder, by the part of the fit that it belongs to ("" where there is but one).

    Each line has a `step` that goes on rising from stage to stage.
    """
    found = {}
    for path in sorted(folder.rglob("log.jsonl")):
        lines = [line for text in path.read_text(encoding="utf-8").splitlines() if (line := _line(text))]
        before, stage, last = 0, None, 0
        for line in lines:
            if line.get("stage") != stage:
                before, stage = before + last, line.get("stage")
            last = int(line.get("steps", line["step"]))
            line["step"] += before
        if lines:
            found[str(path.parent.relative_to(folder)).removeprefix(".")] = lines
    return found


def fold_logs(facts: Facts, name: str) -> dict[str, Log]:
    """The logs of a member's folds, finished or under way, by what they belong to: fold 0, fold 1 …"""
    shelf, found = facts.run.shelf(name), {}
    for fold in facts.run.folds:
        for folder in (shelf.folder / f"fold{fold}", shelf.part(fold)):
            for part, log in logs(folder).items() if folder.is_dir() else ():
                found[f"fold {fold} {part}".rstrip()] = log
    return found


def _line(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:  # it is being written
        return None
    whole = isinstance(line, dict) and isinstance(line.get("step"), int)
    return line if whole else None


def body(facts: Facts, pictures: Pictures) -> str:
    """For each member that logs its training, the loss by step and the scores of judged epochs, a line a fold."""
    figures, silent = [], []
    for name in facts.names:
        found = fold_logs(facts, name)
        if not any("loss" in line for log in found.values() for line in log):
            silent.append(name)
            continue
        paces = [[line["rows_per_second"] for line in log if "rows_per_second" in line] for log in found.values()]
        pace = np.mean([values[-1] for values in paces if values] or [np.nan])
        speed = f" About {pace:,.0f} rows a second." if pace == pace else ""
        figures.append(
            pictures.draw(
                f"training-{name}", f"Training loss of {name} by step",
                f"{name}: training loss, a line a fold; the thin line is the learning rate (its scale is left out)."
                + speed,
                lambda axes, found=found: _paint(axes, found),  # type: ignore[misc]
            )
        )  # fmt: skip
        if any("score" in line for log in found.values() for line in log):
            figures.append(
                pictures.draw(
                    f"training-{name}-score", f"Score of {name} after each judged epoch",
                    f"{name}: {facts.task.metric.name} after each epoch, of the rows that decide when it stops, a line "
                    "a fold; higher is better (of a metric that is better lower it stands with a minus).",
                    lambda axes, found=found: _paint_parts(axes, found, "score"),  # type: ignore[misc]
                )
            )  # fmt: skip
    notes = paragraph(f"Nothing is logged by: {', '.join(silent)}.", "faint") if silent else ""
    return group(*figures) + notes


def _paint(axes: "Axes", found: dict[str, Log]) -> None:
    _paint_parts(axes, found, "loss")
    log = next(iter(found.values()))
    rates = [(line["step"], line["lr"]) for line in log if isinstance(line.get("lr"), (int, float))]
    if len(rates) > 1:
        other = axes.twinx()
        other.plot(*zip(*rates, strict=True), color=LIGHT["faint"], linewidth=0.7)
        other.set_ylim(0, max(rate for _, rate in rates) * 3 or 1)
        other.set_axis_off()


def _paint_parts(axes: "Axes", found: dict[str, Log], what: str) -> None:
    """What was logged under one name, a line a fold."""
    for index, (part, log) in enumerate(found.items()):
        lines = [line for line in log if isinstance(line.get(what), (int, float))]
        lines = [lines[i] for i in thinned(len(lines), MOST)]
        steps, values = [line["step"] for line in lines], [line[what] for line in lines]
        marker = "o" if len(lines) < 12 else ""
        axes.plot(
            steps, values, marker=marker, color=SERIES[index % len(SERIES)], label=part, linewidth=1.2, markersize=3
        )
    axes.set_xlabel("step")
    axes.set_ylabel(what)
    if len(found) <= 10:
        axes.legend()

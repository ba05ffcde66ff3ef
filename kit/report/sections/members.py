"""Each member by itself: its training curves, its folds, and all its settings."""

from typing import Any

from kit.core.units import duration
from kit.report.data import ReportData
from kit.report.html import Cell, details, group, number, paragraph, shortened, table
from kit.report.leaderboard import MARKS
from kit.report.plots import Figures
from kit.report.sections.training import curves
from kit.report.settings import flat_settings
from kit.report.training_log import fold_logs


def anchor(data: ReportData, name: str) -> str:
    """The id of a member's part of the page."""
    return f"member-{data.names.index(name)}"


def body(data: ReportData, figures: Figures) -> str:
    """A part for each member, the best first; it opens by a click."""
    note = paragraph("A click on a member opens its curves, folds and settings.", "faint")
    return note + "".join(_member(data, name, figures) for name in data.by_score)


def _member(data: ReportData, name: str, figures: Figures) -> str:
    scores, folds = data.scores[name], data.folds[name]
    score = f"{data.task.metric.name} {number(scores.pooled)[0]} · " if scores.pooled == scores.pooled else ""
    beside = f"{score}{len(folds)} of {len(data.run.folds)} folds · {duration(scores.seconds)}"
    drawn = curves(name, fold_logs(data, name), data.task.metric.name, figures)
    return details(name, group(*drawn, _folds(data, name), _settings(data, name)), anchor(data, name), beside)


def _folds(data: ReportData, name: str) -> str:
    """A row for each fold: its score, rows and seconds, or why there is none."""
    store, scores = data.run.store(name), data.scores[name].folds
    rows: list[list[Cell]] = []
    for fold in data.run.folds:
        if (kept := data.folds[name].get(fold)) is not None:
            seconds, count = kept.score["seconds"], kept.score.get("rows", {})
            predicted = count.get("valid", 0) + count.get("test", 0)
            speed = predicted / seconds["predict"] if seconds.get("predict") else None
            cells: list[Cell] = [number(scores.get(fold)), count.get("train"), count.get("valid")]
            rows.append(
                [fold, *cells, number(seconds.get("fit"), 1), number(seconds.get("predict"), 1), number(speed, 0)]
            )
        else:
            state = store.state(fold)
            why = f": {store.why(fold)}" if state == "failed" else ""
            rows.append([fold, (MARKS[state] + shortened(why, 200), None), *[None] * 5])
    head = ["fold", data.task.metric.name, "train rows", "rows scored", "fit s", "predict s", "rows predicted/s"]
    return table(head, rows, f"Folds of {name}; wall-clock seconds.", wide=(1,) if len(rows) > len(scores) else ())


def _settings(data: ReportData, name: str) -> str:
    """Every setting; those that differ from the recipe come first."""
    now = flat_settings(data.run.recipe.members[name].to_dict())
    recipe = type(data.run.recipe)().members.get(name)
    before: dict[str, Any] = flat_settings(recipe.to_dict()) if recipe is not None else now
    changed = [setting for setting in now if now[setting] != before.get(setting)]
    rows: list[list[Cell]] = [[setting, _value(now, setting), _value(before, setting)] for setting in changed]
    rows += [[setting, _value(now, setting), ""] for setting in now if setting not in changed]
    kind = type(data.run.recipe.members[name]).__name__
    caption = f"Settings of {name}, a {kind}" + (
        "; those that differ from the recipe's stand first." if changed else "."
    )
    head = ["setting", "value", "in the recipe"] if changed else ["setting", "value"]
    return table(head, [row[: len(head)] for row in rows], caption, wide=(1, 2))


def _value(settings: dict[str, Any], name: str) -> str:
    return shortened(str(settings[name]), 160) if name in settings else "·"

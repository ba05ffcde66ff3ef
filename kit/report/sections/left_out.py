"""What each member adds to the blend: its nested score with the member and without it."""

import math
import time
from typing import Any

import numpy as np

from kit.core.files import read_json, write_json
from kit.core.spec import digest
from kit.core.sums import DamagedFile, remade
from kit.ensemble import Auto, Blend, OutOfFold, left_out, nested
from kit.report.data import ReportData
from kit.report.html import Cell, number, paragraph, table
from kit.run.oof import columns_of, ordered

EVERY = 2.0  # seconds between lines of progress


def body(data: ReportData) -> str:
    """A table of what members add, those that add most first.

    Empty if there is no blend of at least two members, or if the page does not show all of them.
    """
    report = data.report
    if data.blend is None or not report or not report.summary:
        return ""
    names = list(report.weights)
    if len(names) < 2 or not set(names) <= set(data.complete):
        return ""
    blend = _blend(data)
    found = _found(data, blend, names)
    waiting = len(names) - len(found)
    rows: list[list[Cell]] = [
        [one["member"], _signed(one["adds"]), _interval(one), number(one["p"], 3)]
        for one in sorted(found, key=lambda one: -(one["adds"] or 0.0))
    ]
    what = f"What {waiting} more add" if rows else "What each member adds to the blend"
    later = paragraph(f"{what} takes too long for the end of a run; make report computes it.") if waiting else ""
    caption = (
        f"How much better the nested score of {type(blend).__name__} is with a member than without it, with 95 % "
        "intervals by bootstrap over rows or whole groups of rows. A member that adds nothing can be left out. Of two "
        "similar members, neither adds much."
    )
    return (table(["member", "adds", "interval", "p"], rows, caption) if rows else "") + later


def _blend(data: ReportData) -> Blend:
    """The blend, or the one that Auto chose: a choice among ten blends would take ten times as long."""
    blend, choice = data.run.recipe.blend, data.blend_json.get("choice")
    return blend.named(choice) if isinstance(blend, Auto) and choice else blend


def _found(data: ReportData, blend: Blend, names: list[str]) -> list[dict[str, Any]]:
    """What each member of the blend adds, as kept in left_out.json; the rest is computed within the time limit."""
    path, key = data.run.root / "blend" / "left_out.json", digest([data.blend_json["key"], names])
    try:
        kept = read_json(path)
        found: list[dict[str, Any]] = kept["adds"] if kept["key"] == key else []
        known = {one["member"] for one in found}
    except DamagedFile:
        remade(path)
        found, known = [], set()
    except (OSError, ValueError, LookupError, TypeError):
        found, known = [], set()
    waiting = [name for name in names if name not in known]
    if not waiting:
        return found
    start = last_message = time.monotonic()
    run, rows = data.run, data.rows
    columns = columns_of(run, run.table.train[rows])
    oof = OutOfFold(
        np.stack([data.members[name] for name in names]), data.y, run.metric_of(rows), names, data.plan, columns,
        run.clusters_of(rows), ordered(run),
    )  # fmt: skip
    whole = nested(blend, oof, rounds=0)
    # a blend without one member takes about as long as the blend of all
    if math.isfinite(data.time_limit) and time.monotonic() - start > data.time_limit / len(waiting):
        return found
    for place, (name, adds) in enumerate(left_out(blend, oof, waiting, whole), 1):
        value, low, high, p = (None if np.isnan(v) else v for v in (adds.value, adds.low, adds.high, adds.p))
        found.append({"member": name, "adds": value, "interval": [low, high], "p": p})
        write_json(path, {"key": key, "adds": found})
        if (now := time.monotonic()) - start > data.time_limit:
            break
        if now - last_message > EVERY:
            last_message = now
            data.on_message(f"what each member adds to the blend: {place} of {len(waiting)}")
    return found


def _signed(value: float | None) -> Cell:
    return ("·", None) if value is None else (f"{value:+.5f}", value)


def _interval(one: dict[str, Any]) -> str:
    low, high = one["interval"]
    return "·" if low is None else f"[{low:+.5f}, {high:+.5f}]"

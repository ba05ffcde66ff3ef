"""What each member adds to the blend: its nested score with the member and without it."""

import time
from typing import Any

import numpy as np

from kit.blending import columns_of
from kit.ensemble import Auto, Blend, left_out
from kit.files import read_json, write_json
from kit.report.facts import Facts
from kit.report.html import Cell, number, paragraph, table

LONGEST = 60.0  # seconds that a page may take for it; the next page goes on from there


def body(facts: Facts) -> str:
    """A table of what members add, those that add most first; empty where there is no blend of two or more."""
    if facts.blend is None or not (facts.report and facts.report.summary) or len(facts.complete) < 2:
        return ""
    blend = _blend(facts)
    found = _found(facts, blend)
    waiting = len(facts.complete) - len(found)
    rows: list[list[Cell]] = [
        [one["member"], _signed(one["adds"]), _interval(one), number(one["p"], 3)]
        for one in sorted(found, key=lambda one: -(one["adds"] or 0.0))
    ]
    later = paragraph(f"{waiting} more are judged when this page is made again (make report).") if waiting else ""
    caption = (
        f"By how much the nested score of {type(blend).__name__} is better with a member than without it, with 95 % "
        "intervals by bootstrap over rows. What adds nothing may be left out; of two that are alike neither adds much."
    )
    return (table(["member", "adds", "interval", "p"], rows, caption) if rows else "") + later


def _blend(facts: Facts) -> Blend:
    """The blend, or the one that Auto took: what a member adds to a choice among ten would take ten times as long."""
    blend, choice = facts.run.recipe.blend, facts.blend_facts.get("choice")
    return blend.named(choice) if isinstance(blend, Auto) and choice else blend


def _found(facts: Facts, blend: Blend) -> list[dict[str, Any]]:
    """What is known of each member, kept beside the blend; the rest is computed while there is time."""
    path, key = facts.run.root / "blend" / "left_out.json", facts.blend_facts["key"]
    try:
        kept = read_json(path)
        found: list[dict[str, Any]] = kept["adds"] if kept["key"] == key else []
    except (OSError, ValueError, LookupError, TypeError):
        found = []
    known = {one["member"] for one in found}
    waiting = [name for name in facts.complete if name not in known]
    if not waiting:
        return found
    start, predictions = time.monotonic(), np.stack([facts.members[name] for name in facts.complete])
    columns = columns_of(facts.run, facts.run.table.train[facts.rows])
    groups = facts.run.clusters_of(facts.rows)
    for name, adds in left_out(
        blend, predictions, facts.y, facts.plan, facts.task.metric, facts.complete, columns, waiting, groups
    ):
        value, low, high, p = (None if np.isnan(v) else v for v in (adds.value, adds.low, adds.high, adds.p))
        found.append({"member": name, "adds": value, "interval": [low, high], "p": p})
        write_json(path, {"key": key, "adds": found})
        if time.monotonic() - start > LONGEST:
            break
    return found


def _signed(value: float | None) -> Cell:
    return ("·", None) if value is None else (f"{value:+.5f}", value)


def _interval(one: dict[str, Any]) -> str:
    low, high = one["interval"]
    return "·" if low is None else f"[{low:+.5f}, {high:+.5f}]"

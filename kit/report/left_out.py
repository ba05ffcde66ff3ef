"""What each member adds to the blend: its nested score with the member and without it."""

import math
import time
from typing import Any

import numpy as np

from kit.blending import columns_of, ordered
from kit.ensemble import Auto, Blend, left_out, nested
from kit.files import read_json, write_json
from kit.report.facts import Facts
from kit.report.html import Cell, number, paragraph, table
from kit.spec import digest

EVERY = 2.0  # seconds between lines that tell how far it is


def body(facts: Facts) -> str:
    """A table of what members add, those that add most first.

    Empty where there is no blend of two or more, or the page does not show all of its members.
    """
    report = facts.report
    if facts.blend is None or not report or not report.summary:
        return ""
    names = list(report.weights)
    if len(names) < 2 or not set(names) <= set(facts.complete):
        return ""
    blend = _blend(facts)
    found = _found(facts, blend, names)
    waiting = len(names) - len(found)
    rows: list[list[Cell]] = [
        [one["member"], _signed(one["adds"]), _interval(one), number(one["p"], 3)]
        for one in sorted(found, key=lambda one: -(one["adds"] or 0.0))
    ]
    what = f"What {waiting} more add" if rows else "What each member adds to the blend"
    later = paragraph(f"{what} takes longer than a run should end with: make report computes it.") if waiting else ""
    caption = (
        f"By how much the nested score of {type(blend).__name__} is better with a member than without it, with 95 % "
        "intervals by bootstrap over rows, or whole groups of them. What adds nothing may be left out; of two that are "
        "alike neither adds much."
    )
    return (table(["member", "adds", "interval", "p"], rows, caption) if rows else "") + later


def _blend(facts: Facts) -> Blend:
    """The blend, or the one that Auto took: what a member adds to a choice among ten would take ten times as long."""
    blend, choice = facts.run.recipe.blend, facts.blend_facts.get("choice")
    return blend.named(choice) if isinstance(blend, Auto) and choice else blend


def _found(facts: Facts, blend: Blend, names: list[str]) -> list[dict[str, Any]]:
    """What is known of each member of the blend, kept beside it; the rest is computed while the page has patience."""
    path, key = facts.run.root / "blend" / "left_out.json", digest([facts.blend_facts["key"], names])
    try:
        kept = read_json(path)
        found: list[dict[str, Any]] = kept["adds"] if kept["key"] == key else []
        known = {one["member"] for one in found}
    except (OSError, ValueError, LookupError, TypeError):
        found, known = [], set()
    waiting = [name for name in names if name not in known]
    if not waiting:
        return found
    start = spoken = time.monotonic()
    predictions, columns = (
        np.stack([facts.members[name] for name in names]),
        columns_of(facts.run, facts.run.table.train),
    )
    columns = None if columns is None else columns[facts.rows]
    given = (facts.y, facts.plan, facts.task.metric, names, columns)
    how: dict[str, Any] = {"groups": facts.run.clusters_of(facts.rows), "ordered": ordered(facts.run)}
    whole = nested(blend, predictions, *given, rounds=0, **how)
    # to do without one member takes about as long as to have all
    if math.isfinite(facts.patience) and time.monotonic() - start > facts.patience / len(waiting):
        return found
    for place, (name, adds) in enumerate(left_out(blend, predictions, *given, waiting, whole=whole, **how), 1):
        value, low, high, p = (None if np.isnan(v) else v for v in (adds.value, adds.low, adds.high, adds.p))
        found.append({"member": name, "adds": value, "interval": [low, high], "p": p})
        write_json(path, {"key": key, "adds": found})
        if (now := time.monotonic()) - start > facts.patience:
            break
        if now - spoken > EVERY:
            spoken = now
            facts.tell(f"what each member adds to the blend: {place} of {len(waiting)}")
    return found


def _signed(value: float | None) -> Cell:
    return ("·", None) if value is None else (f"{value:+.5f}", value)


def _interval(one: dict[str, Any]) -> str:
    low, high = one["interval"]
    return "·" if low is None else f"[{low:+.5f}, {high:+.5f}]"

"""settings.json: the settings of the last finished runs, so that a report can say what has changed since."""

import time
from pathlib import Path
from typing import Any

from kit.blending import BlendReport, last_blend
from kit.files import read_json, write_json
from kit.report.facts import Facts
from kit.report.html import Cell, number, paragraph, shortened, table
from kit.report.pictures import Pictures
from kit.run import Run

MEMBERS = "members that were blended"
MOST = 50  # runs that are kept


def flat(dumped: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A spec's dump by dotted names; what is nested also has its class under its own name."""
    found: dict[str, Any] = {}
    for name, value in dumped.items():
        if name in ("class", "version"):
            continue
        if isinstance(value, dict) and "class" in value:
            found[prefix + name] = str(value["class"]).rpartition(":")[2]
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(item, dict) and "class" in item for item in value):
            for place, item in enumerate(value):
                found |= flat({str(place): item}, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def history(root: Path) -> list[dict[str, Any]]:
    """What `remember` has written, the oldest first."""
    try:
        runs = read_json(root / "settings.json")["runs"]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [entry for entry in runs if isinstance(entry, dict) and {"when", "score", "settings"} <= entry.keys()]


def remember(run: Run) -> None:
    """Notes settings, members and score of the last blend; a run of the same takes the last one's place."""
    report = last_blend(run)
    score = (report.summary or {}).get("nested") if report else None
    entry = {
        "when": time.strftime("%Y-%m-%d %H:%M"), "score": score, "settings": run.recipe.dump(),
        "members": _members(report),
    }  # fmt: skip
    runs = history(run.root)
    if runs and not _differs(runs[-1], entry):
        runs.pop()
    write_json(run.root / "settings.json", {"runs": [*runs, entry][-MOST:]})


def _members(report: BlendReport | None) -> list[str] | None:
    """What was blended, in an order that tells nothing; None where nothing was."""
    return sorted(report.weights) if report else None


def _differs(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two runs had other settings or blended other members, as far as both tell of them."""
    members = [entry.get("members") for entry in (a, b)]  # an older kit did not note them
    return a["settings"] != b["settings"] or (None not in members and members[0] != members[1])


def body(facts: Facts, pictures: Pictures) -> str:
    """The knobs that differ from the last finished run with other settings or members."""
    now: dict[str, Any] = {"settings": facts.run.recipe.dump(), "members": _members(facts.report)}
    before = next((entry for entry in reversed(history(facts.run.root)) if _differs(entry, now)), None)
    if before is None:
        return paragraph("No run with other settings has finished in this folder yet, so there is nothing to compare.")
    old, new = flat(before["settings"]), flat(now["settings"])
    if None not in (before.get("members"), now["members"]):
        old[MEMBERS], new[MEMBERS] = ", ".join(before["members"]), ", ".join(now["members"])
    changed = [name for name in dict.fromkeys([*new, *old]) if old.get(name) != new.get(name)]
    # where another class stands in a place, its own knobs are no change of settings
    changed = [name for name in changed if not any(name.startswith(f"{other}.") for other in changed)]
    rows: list[list[Cell]] = [[name, _shown(old, name), _shown(new, name)] for name in changed]
    scores = [before["score"], (facts.report.summary or {}).get("nested") if facts.report else None]
    if None not in scores:
        metric = facts.task.metric.name
        told = f"Then the blend's {metric} was {number(scores[0])[0]}, now it is {number(scores[1])[0]}."
    else:
        told = ""
    if not rows:  # the code behind the same settings has another version
        return paragraph("Only the version of a member differs from the last run.") + paragraph(told)
    caption = f"Settings that differ from the run that finished on {before['when']}."
    return paragraph(told) + table(["setting", "then", "now"], rows, caption, wide=(1, 2))


def _shown(settings: dict[str, Any], name: str) -> str:
    return shortened(str(settings[name]), 160) if name in settings else "·"

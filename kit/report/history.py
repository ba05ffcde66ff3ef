"""settings.json: the settings of the last finished runs, so that a report can say what has changed since."""

import time
from pathlib import Path
from typing import Any

from kit.core.files import read_json, write_json
from kit.core.sums import DamagedFile, remade
from kit.run.blend import BlendReport, last_blend
from kit.run.run import Run

MAX_RUNS = 50  # number of runs that are kept


def history(root: Path) -> list[dict[str, Any]]:
    """What `remember` has written, the oldest first."""
    path = root / "settings.json"
    try:
        runs = read_json(path)["runs"]
    except DamagedFile:
        remade(path, "what has changed since earlier runs is not known")
        return []
    except (OSError, LookupError, TypeError):
        return []
    return [entry for entry in runs if isinstance(entry, dict) and {"when", "score", "settings"} <= entry.keys()]


def remember(run: Run) -> None:
    """Adds settings, members and score of the last blend, or replaces the last entry if that has the same ones."""
    report = last_blend(run)
    score = (report.summary or {}).get("nested") if report else None
    entry = {
        "when": time.strftime("%Y-%m-%d %H:%M"), "score": score, "settings": run.recipe.to_dict(),
        "members": blended_members(report),
    }  # fmt: skip
    runs = history(run.root)
    if runs and not differs(runs[-1], entry):
        runs.pop()
    write_json(run.root / "settings.json", {"runs": [*runs, entry][-MAX_RUNS:]})


def blended_members(report: BlendReport | None) -> list[str] | None:
    """Names of the members of a blend, sorted; None if there is no blend."""
    return sorted(report.weights) if report else None


def differs(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two runs differ in settings or blended members, as far as both entries have them."""
    members = [entry.get("members") for entry in (a, b)]  # an older version of kit did not write them
    return a["settings"] != b["settings"] or (None not in members and members[0] != members[1])

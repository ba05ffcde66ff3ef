"""What differs from the last run that finished with other settings or members."""

from typing import Any

from kit.report.data import ReportData
from kit.report.history import blended_members, differs, history
from kit.report.html import Cell, number, paragraph, shortened, table
from kit.report.plots import Figures
from kit.report.settings import flat_settings

MEMBERS = "members that were blended"


def body(data: ReportData, figures: Figures) -> str:
    """The settings that differ from the last finished run with other settings or members."""
    now: dict[str, Any] = {"settings": data.run.recipe.to_dict(), "members": blended_members(data.report)}
    before = next((entry for entry in reversed(history(data.run.root)) if differs(entry, now)), None)
    if before is None:
        return paragraph("No run with other settings has finished in this folder yet, so there is nothing to compare.")
    old, new = flat_settings(before["settings"]), flat_settings(now["settings"])
    if None not in (before.get("members"), now["members"]):
        old[MEMBERS], new[MEMBERS] = ", ".join(before["members"]), ", ".join(now["members"])
    changed = [name for name in dict.fromkeys([*new, *old]) if old.get(name) != new.get(name)]
    # if the class has changed, the settings below it are those of another class: only the class is named
    changed = [name for name in changed if not any(name.startswith(f"{other}.") for other in changed)]
    rows: list[list[Cell]] = [[name, _shown(old, name), _shown(new, name)] for name in changed]
    scores = [before["score"], (data.report.summary or {}).get("nested") if data.report else None]
    if None not in scores:
        metric = data.task.metric.name
        scored = f"Then the blend's {metric} was {number(scores[0])[0]}, now it is {number(scores[1])[0]}."
    else:
        scored = ""
    if not rows:  # the code behind the same settings has another version
        return paragraph("Only the version of a member differs from the last run.") + paragraph(scored)
    caption = f"Settings that differ from the run that finished on {before['when']}."
    return paragraph(scored) + table(["setting", "then", "now"], rows, caption, wide=(1, 2))


def _shown(settings: dict[str, Any], name: str) -> str:
    return shortened(str(settings[name]), 160) if name in settings else "·"

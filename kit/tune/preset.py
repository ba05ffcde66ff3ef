"""The preset `tuned`: the best settings that searches have found, in a file of the run folder."""

import re
from pathlib import Path
from typing import Any

from kit.core.errors import KitError
from kit.core.files import lock, read_json, write_json
from kit.metrics import Metric
from kit.recipe import Recipe
from kit.run.chosen import FILE


def keep(root: Path, member: str, entry: dict[str, Any], metric: Metric) -> tuple[dict[str, Any], list[str]]:
    """Writes the settings found for a member into the preset, unless it has better ones for this member.

    Scores of two searches can be compared only if `entry["scored_on"]` is the same. If it differs, the newer settings
    are written; but the recipe's own settings never replace settings that a search has found.

    Args:
        root: the run folder.
        member: name of the member.
        entry: `settings` are override strings; `made` is None if they are the recipe's own.
        metric: the metric of the scores.

    Returns:
        The entry that the preset has now, and notes about an earlier one.
    """
    with lock(root / "tune" / "preset.lock", wait=60):
        path = root / FILE
        entries = read_json(path) if path.exists() else {}
        old = entries.get(member)
        if old is None or old["settings"] == entry["settings"]:
            note = []
        else:
            same = old.get("scored_on") == entry["scored_on"]
            better = (
                metric.better(old["score"], entry["score"]) if same else not entry["made"] and bool(old["settings"])
            )
            on = f"{old['metric']} {old['score']:.5f} on folds {','.join(map(str, old['folds']))}"
            earlier = f"{' '.join(old['settings']) or 'the own settings'} (trial {old['trial']}, {on})"
            does = "keeps" if better else "has this in place of"
            note = [f"{path} {does} what an earlier search found for {member}: {earlier}"]
            if better:
                return old, note
        write_json(path, entries | {member: entry})
    return entry, note


def tuned_settings(root: Path, recipe: Recipe) -> list[str]:
    """Override strings of `preset=tuned` in a run folder, all tuned members together.

    Settings of a member that the recipe does not have any more are left out.

    Raises:
        KitError: nothing was tuned in this folder, or the recipe refuses the settings.
    """
    if (path := root / FILE).exists():
        settings_of = {
            member: found["settings"] for member, found in read_json(path).items() if member in recipe.members
        }
        for member, settings in settings_of.items():
            try:
                recipe.override(*settings)
            except KitError as error:
                raise KitError(f"{path}: {member}: {error}; tune it again, or take it out of the file") from None
        return [text for settings in settings_of.values() for text in settings]
    name = re.sub(r"-(sample|\d+-rows)$", "", root.name)
    found = [*root.parent.glob(f"{name}/{FILE}"), *root.parent.glob(f"{name}-*/{FILE}")]
    others = ", ".join(map(str, sorted(found)))
    more = f"; there is {others}, which was tuned on other rows: copy it there to use it" if others else ""
    raise KitError(f"preset=tuned: {path} is not there; make tune comp={name} member=… writes it{more}")


def own_settings(recipe: Recipe, settings: tuple[str, ...], member: str) -> list[str]:
    """The override strings of a run that change this member, with exact names."""
    now, kept = type(recipe)(), []
    for text in settings:
        name, _, value = text.partition("=")
        full = now.full_name(name.strip())
        now = now.override(text)
        if full == member or full.startswith(f"{member}."):
            kept.append(f"{full}={value.strip()}")
    return kept

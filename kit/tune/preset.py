"""The preset `tuned`: what searches have found, kept in the run folder and read by every command."""

import re
from pathlib import Path
from typing import Any

from kit.files import lock, read_json, write_json
from kit.metrics import Metric
from kit.recipe import Recipe
from kit.spec import KitError

FILE = "tuned.json"


def keep(root: Path, member: str, facts: dict[str, Any], metric: Metric) -> tuple[dict[str, Any], list[str]]:
    """Writes what was found for a member beside what is there for others, unless something better is there.

    Scores of two searches can be compared where `facts["judged"]` is the same; where it is not, what was found last
    stays, but the recipe's own settings drive out nothing that a search has found.

    Args:
        facts: `settings` are override strings; `made` is None where they are the recipe's own.

    Returns:
        The entry that is there now, and what is to be said of an earlier one.
    """
    with lock(root / "tune" / "preset.lock", wait=60):
        path = root / FILE
        entries = read_json(path) if path.exists() else {}
        old = entries.get(member)
        if old is None or old["settings"] == facts["settings"]:
            note = []
        else:
            same = old.get("judged") == facts["judged"]
            better = (
                metric.better(old["score"], facts["score"]) if same else not facts["made"] and bool(old["settings"])
            )
            on = f"{old['metric']} {old['score']:.5f} on folds {','.join(map(str, old['folds']))}"
            told = f"{' '.join(old['settings']) or 'the own settings'} (trial {old['trial']}, {on})"
            does = "keeps" if better else "has this in place of"
            note = [f"{path} {does} what an earlier search found for {member}: {told}"]
            if better:
                return old, note
        write_json(path, entries | {member: facts})
    return facts, note


def chosen_by_score(root: Path) -> set[str]:
    """Digests of the members (`Member.identity`) that searches have chosen by their score on these rows."""
    try:
        entries = read_json(root / FILE)
    except (OSError, ValueError):
        return set()
    return {facts["made"] for facts in entries.values() if facts.get("made")}


def tuned_settings(root: Path, recipe: Recipe) -> list[str]:
    """Override strings of `preset=tuned` in a run folder, all tuned members together.

    What was found for a member that the recipe has no longer is left out.

    Raises:
        KitError: nothing was tuned there, or the recipe refuses what was found.
    """
    if (path := root / FILE).exists():
        settings_of = {
            member: facts["settings"] for member, facts in read_json(path).items() if member in recipe.members
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
    """Those of a run's override strings that set something in a member, with exact names."""
    now, kept = type(recipe)(), []
    for text in settings:
        name, _, value = text.partition("=")
        full = now._resolve(name.strip())
        now = now.override(text)
        if full == member or full.startswith(f"{member}."):
            kept.append(f"{full}={value.strip()}")
    return kept

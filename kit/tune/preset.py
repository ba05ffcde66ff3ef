"""The preset `tuned`: what searches have found, kept in the run folder and read by every command."""

import re
from pathlib import Path
from typing import Any

from kit.files import lock, read_json, write_json
from kit.recipe import Recipe
from kit.spec import KitError

FILE = "tuned.json"


def keep(root: Path, member: str, facts: dict[str, Any]) -> Path:
    """Writes what was found for a member beside what is there for others; `facts["settings"]` are override strings."""
    with lock(root / "tune" / "preset.lock", wait=60):
        path = root / FILE
        write_json(path, (read_json(path) if path.exists() else {}) | {member: facts})
    return path


def tuned_settings(root: Path) -> list[str]:
    """Override strings of `preset=tuned` in a run folder, all tuned members together.

    Raises:
        KitError: nothing was tuned there.
    """
    if (path := root / FILE).exists():
        return [text for facts in read_json(path).values() for text in facts["settings"]]
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

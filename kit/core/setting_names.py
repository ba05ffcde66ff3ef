"""Names of settings: finds the full dotted name for a short one."""

from collections import Counter
from itertools import combinations

from kit.core.errors import KitError, close_to, nearest


def resolved(name: str, knobs: list[str], nested: list[str]) -> str:
    """The full dotted name that `name` means: the name itself, or the only one that it abbreviates.

    Args:
        name: the name as typed; `lr`, `stage.lr` and `minilm.lr` can all mean `minilm.stage.lr`.
        knobs: dotted names of single values.
        nested: dotted names of settings that contain others.

    Raises:
        KitError: no name fits, or several do.
    """
    known = [*knobs, *nested]
    if name in known:
        return name
    found = [n for n in known if n.endswith("." + name)] or [n for n in known if _abbreviates(name, n)]
    if len(found) > 1:
        raise KitError(f"setting '{name}' is ambiguous: {', '.join(found)}")
    if not found:
        raise KitError(f"unknown setting '{name}'" + (close_to(name, _typed(name, knobs)) or nearest(name, knobs)))
    return found[0]


def _abbreviates(name: str, full: str) -> bool:
    """Whether `name` is `full` with some parts left out, but not the last part."""
    parts = iter(full.split("."))
    return name.split(".")[-1] == full.split(".")[-1] and all(part in parts for part in name.split("."))


def _typed(name: str, knobs: list[str]) -> list[str]:
    """Names that could be typed: full names, and abbreviations of one name with as many parts as `name`."""
    count = name.count(".")
    short = Counter(s for knob in knobs for s in {*_shortened(knob.split("."), count)})
    tails = Counter(knob.split(".", knob.count(".") - count)[-1] for knob in knobs if knob.count(".") > count)
    return [*knobs, *(s for s, uses in short.items() if tails[s] == 1 or (uses == 1 and not tails[s]))]


def _shortened(parts: list[str], count: int) -> list[str]:
    return [".".join([*kept, parts[-1]]) for kept in combinations(parts[:-1], count)] if len(parts) - 1 > count else []

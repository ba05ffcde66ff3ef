"""A spec's settings by dotted names, as tables of the report list them."""

from typing import Any


def flat_settings(dumped: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A spec's settings (`Spec.to_dict`) by dotted names; what is nested also has its class under its own name."""
    found: dict[str, Any] = {}
    for name, value in dumped.items():
        if name in ("class", "version"):
            continue
        if isinstance(value, dict) and "class" in value:
            found[prefix + name] = str(value["class"]).rpartition(":")[2]
            found |= flat_settings(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(item, dict) and "class" in item for item in value):
            for place, item in enumerate(value):
                found |= flat_settings({str(place): item}, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found

"""Options: the settings of a spec as `make options` prints them."""

from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kit.core.functions import code_name, is_code
from kit.core.setting_text import choices, settings_classes


class Option(NamedTuple):
    """One setting: its dotted name, type, value, allowed range, and description."""

    name: str
    type: str
    value: Any
    range: str
    description: str


def option_of(name: str, info: FieldInfo, value: Any) -> Option | None:
    """The option of a field; None for a nested spec that cannot be replaced by another class or by none."""
    about = info.description or ""
    if not isinstance(value, BaseModel):
        shown = code_name(value) if is_code(value) else value
        return None if info.init is False else Option(name, _type_name(info), shown, _range(info), about)
    if len(choices(*settings_classes(info.annotation))) > 1 or NoneType in get_args(info.annotation):
        return Option(name, _type_name(info), type(value).__name__, "", about)
    return None


def _type_name(info: FieldInfo) -> str:
    kind = info.annotation
    if classes := settings_classes(kind):
        several = ", several" if get_origin(kind) is tuple else ""
        return " | ".join(choices(*classes)) + (" | none" if NoneType in get_args(kind) else "") + several
    plain = isinstance(kind, type) and not hasattr(kind, "__args__")
    return kind.__name__ if isinstance(kind, type) and plain else str(kind).replace("typing.", "")


def _range(info: FieldInfo) -> str:
    signs = {Ge: "≥ {0.ge}", Gt: "> {0.gt}", Le: "≤ {0.le}", Lt: "< {0.lt}"}
    return ", ".join(sign.format(m) for m in info.metadata for kind, sign in signs.items() if isinstance(m, kind))

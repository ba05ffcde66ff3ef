"""Functions and classes as settings: saved as name and digest, and found again in the user's code.

A saved setting must not decide what is imported or called. So a name is accepted only if this process knows the
function already: a setting holds it, or a recipe, script or notebook defines it. Its digest must be the saved one.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from kit.core.classes import defined
from kit.core.errors import KitError, close_to
from kit.core.own_code import home_of, is_own
from kit.core.source_digest import source_digest

_held: dict[str, list[Any]] = {}  # name → functions and classes that are values of settings in this process


def is_code(value: Any) -> bool:
    """Whether a value is a function, a class, or a `functools.partial` of one."""
    return inspect.isroutine(value) or inspect.isclass(value) or isinstance(value, functools.partial)


def hold(value: Any) -> None:
    """Remembers the functions and classes in a setting's value."""
    if isinstance(value, tuple | list):
        for one in value:
            hold(one)
    elif isinstance(value, dict):
        hold([*value.values()])
    elif is_code(value) and not any(value is known for known in _held.setdefault(code_name(value), [])):
        _held[code_name(value)].append(value)


def code_name(value: Any) -> str:
    """The name of a function or class."""
    return code_name(value.func) if isinstance(value, functools.partial) else str(value.__qualname__)


def code_to_dict(value: Any) -> dict[str, str]:
    """A function or class as JSON values."""
    return {"function": code_name(value), "source_digest": source_digest(value)}


def is_code_dict(saved: Any) -> bool:
    """Whether this is a result of `code_to_dict`."""
    return isinstance(saved, dict) and saved.keys() == {"function", "source_digest"}


def code_from_dict(saved: dict[str, str]) -> Any:
    """The function or class that `code_to_dict` described.

    Raises:
        KitError: there is none of this name, or it has been edited.
    """
    found = list(_of_name(str(saved["function"])))
    for value in found:
        if source_digest(value) == saved["source_digest"]:
            return value
    if found:
        raise KitError(f"'{saved['function']}' has changed since this was saved")
    raise KitError(_unknown(str(saved["function"])))


def code_named(name: str) -> Any:
    """The function or class of this name.

    Raises:
        KitError: this process knows none.
    """
    if (found := next(_of_name(name), None)) is None:
        raise KitError(_unknown(name))
    return found


def takes_code(annotation: Any) -> bool:
    """Whether a field of this type holds a function."""
    return Callable in (annotation, get_origin(annotation)) or any(takes_code(part) for part in get_args(annotation))


def _of_name(name: str) -> Iterator[Any]:
    yield from reversed(_held.get(name, []))
    for module in _own_modules():
        value = vars(sys.modules[module]).get(name)
        if is_code(value) and is_own(home_of(value)):
            yield value


def _own_modules() -> list[str]:
    """Modules of the user that define settings classes, such as the module of a recipe."""
    names = {cls.__module__ for cls in defined(BaseModel)} | {"__main__"}
    return sorted(name for name in names if name in sys.modules and is_own(name))


def _unknown(name: str) -> str:
    return f"this recipe has no function '{name}'" + close_to(name, [*_held])

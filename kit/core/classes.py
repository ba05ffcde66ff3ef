"""Finds a class by the name that a file gives.

A file of a run folder may come from anywhere, so it must not decide what is imported. Its names are looked up only
among the classes that this process has already defined (in a recipe, script or notebook) and among kit's own classes.
The modules of kit's own classes are found by a scan of kit's folder; nothing else is imported.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from kit.core.errors import KitError, close_to
from kit.core.own_code import PACKAGE, is_of_kit

T = TypeVar("T", bound=type)


def class_named(name: str, base: T, module: str = "") -> T:
    """The class of this name that is `base` or derives from it.

    If a class was defined several times, for example by a notebook cell that ran again, it is the last one.

    Args:
        name: its `__name__`.
        base: the class must be this one or derive from it.
        module: module of the recipe; if several modules have a class of this name, it is the one of this module.

    Raises:
        KitError: there is no such class, or several classes have this name.
    """
    found = _newest([cls for cls in defined(base) if cls.__name__ == name])
    if not any(is_of_kit(cls.__module__) for cls in found):
        found += [cls for module in _modules().get(name, ()) if (cls := _own(module, name, base)) is not None]
    found = [cls for cls in found if not inspect.isabstract(cls)]
    if not found:
        hint = close_to(name, [cls.__name__ for cls in defined(base)])
        raise KitError(f"neither kit nor this recipe has a {base.__name__} called '{name}'{hint}")
    found = [cls for cls in found if cls.__module__ == module] or found
    if len(found) > 1:
        where = " and ".join(sorted(cls.__module__ for cls in found))
        raise KitError(f"'{name}' is the name of {len(found)} classes, in {where}: rename one of your own")
    return found[0]


def defined(base: T) -> Iterator[T]:
    """The class and all classes that derive from it, among those that this process has defined."""
    yield base
    derived: Any = base.__subclasses__()
    for cls in derived:
        yield from defined(cls)


def _newest(classes: list[Any]) -> list[Any]:
    """One class for each module and qualified name: the one that the module has now, or else the last one."""
    newest: dict[tuple[str, str], Any] = {}
    for cls in classes:
        place = (cls.__module__, cls.__qualname__)
        if place not in newest or newest[place] is not _held(*place):
            newest[place] = cls
    return list(newest.values())


def _held(module: str, qualname: str) -> Any:
    value: Any = sys.modules.get(module)
    for part in qualname.split("."):
        value = getattr(value, part, None)
    return value


def _own(module: str, name: str, base: type) -> Any:
    cls = getattr(import_module(module), name, None)
    return cls if isinstance(cls, type) and issubclass(cls, base) else None


@lru_cache(maxsize=1)
def _modules() -> dict[str, list[str]]:
    """Name of a class → modules of kit that define a class of this name; read from kit's source files."""
    root, found = Path(__file__).parents[1], dict[str, list[str]]()
    for path in sorted(root.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(root).with_suffix("").parts]
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] != "__main__":
            for name in re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
                found.setdefault(name, []).append(module)
    return found

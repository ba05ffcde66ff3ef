"""Lazy imports: a module is imported when a name of it is first used."""

import ast
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def lazy(package: str, path: str) -> Callable[[str], Any]:
    """A module-level `__getattr__` (PEP 562) for a package: it imports a name when it is first used.

    The names are those of the imports under `if TYPE_CHECKING:` in the package's file, so that one list serves editors,
    type checkers and this function, as in SPEC 1 of Scientific Python (2022).

    Args:
        package: its `__name__`.
        path: its `__file__`.
    """
    homes = typing_only(path)

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(importlib.import_module(homes[name]), name)

    return __getattr__


def typing_only(path: str) -> dict[str, str]:
    """Name → module of the imports under `if TYPE_CHECKING:` in a package's file.

    Args:
        path: the package's `__file__`.
    """
    found: dict[str, str] = {}
    for block in ast.parse(Path(path).read_text(encoding="utf-8")).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for node in block.body:
                if isinstance(node, ast.ImportFrom) and node.module:
                    found |= dict.fromkeys((alias.name for alias in node.names), node.module)
    return found


def listing(names: Sequence[str]) -> Callable[[], list[str]]:
    """A module-level `__dir__` (PEP 562): notebooks and terminals then complete names that are not imported yet."""
    return lambda: sorted(names)


class later:
    """A heavy module that is imported when one of its attributes is first read.

    Settings classes that also compute with torch use it, so that a recipe that only names them imports no torch:

        if TYPE_CHECKING:
            import torch
        else:
            torch = later("torch")
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __reduce__(self) -> tuple[type["later"], tuple[str]]:
        return later, (self._module,)  # without the attributes that it has kept

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self._module), name)
        setattr(self, name, value)  # the next read finds it directly
        return value

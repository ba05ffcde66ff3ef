"""Imports put off until a name is used, so that what is light to name costs no heavy import."""

import importlib
from collections.abc import Callable
from typing import Any


def lazy(package: str, homes: dict[str, str]) -> Callable[[str], Any]:
    """A module-level `__getattr__` (PEP 562) for `package`.

    Args:
        package: its `__name__`.
        homes: offered name → module of the package that defines it.
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return __getattr__


class later:
    """A heavy module by its name, imported when an attribute of it is first asked for.

    Settings classes that also compute with torch name it this way, so that a recipe that only names them stays light:

        if TYPE_CHECKING:
            import torch
        else:
            torch = later("torch")
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self._module), name)
        setattr(self, name, value)  # found at once the next time
        return value

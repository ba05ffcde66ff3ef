"""Whether code belongs to kit, to a library, or to the user."""

import importlib.util
import sys
import sysconfig
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

PACKAGE = __name__.partition(".")[0]
OWN = ("__main__", "__mp_main__", "competitions")  # users' own modules, wherever they are installed
STANDARD = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib"))


def is_of_kit(module: str | None) -> bool:
    """Whether this is the name of a module of kit."""
    return str(module).partition(".")[0] == PACKAGE


def is_own(module: str) -> bool:
    """Whether a module is the user's own code: not of kit, the standard library or an installed package."""
    package = module.partition(".")[0]
    if package in OWN:
        return True
    if is_of_kit(module) or package in sys.stdlib_module_names:
        return False
    found = sys.modules.get(module)
    if found is not None:
        places = [getattr(found, "__file__", None), *getattr(found, "__path__", ())]
    else:
        spec = importlib.util.find_spec(package) if package.isidentifier() and package not in sys.modules else None
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    return not any(place and _in_library(str(place)) for place in places)  # no file: created by running code


def home_of(thing: Any) -> str:
    """The name of the module that really defines a function or class; `__module__` may be wrong."""
    if isinstance(thing, FunctionType):  # a decorator may have copied another function's name and module
        return str(thing.__globals__.get("__name__"))
    return str(getattr(thing, "__module__", None))


def imported(name: str, package: str = "") -> ModuleType | None:
    """Imports a module if it is the user's own code; None, without an import, for other modules.

    Args:
        name: name of the module; with leading dots if it is relative to `package`.
        package: package of the module that imports it.
    """
    try:
        name = importlib.util.resolve_name(name, package) if name.startswith(".") else name
        return import_module(name) if is_own(name.partition(".")[0]) and is_own(name) else None
    except (ImportError, ValueError):
        return None


@lru_cache(maxsize=4096)
def _in_library(place: str) -> bool:
    found = Path(place).resolve()
    return "site-packages" in found.parts or "dist-packages" in found.parts or str(found).startswith(STANDARD)

"""The libraries of the extra `trees`, imported when they are first used."""

import importlib
from typing import Any

from kit.core.errors import KitError


def library(name: str) -> Any:
    """The module of this name.

    Raises:
        KitError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise KitError(f"{name} is not installed: pip install 'kit[trees]'") from None

"""The tools that can show a run, by name."""

import importlib
from collections.abc import Callable

from kit.core.errors import KitError, nearest
from kit.run.run import Run

Show = Callable[[Run, list[str]], str]
TOOLS = ("mlflow", "tensorboard")


def tracker(name: str) -> Show:
    """The function that shows a run in the tool of this name and returns where to look.

    Raises:
        KitError: there is no such tool, or its package is not installed.
    """
    if name not in TOOLS:
        raise KitError(f"to={name}: a run can be shown in {' or '.join(TOOLS)}" + nearest(name, list(TOOLS)))
    try:
        module = importlib.import_module(f"kit.report.track.to_{name}")
    except ImportError as error:
        package = str(error.name).partition(".")[0]
        raise KitError(f"to={name} needs the package {package}: pip install 'kit[{name}]'") from None
    show: Show = module.show
    return show

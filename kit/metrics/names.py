"""Metrics by name: `f1`, with a threshold `f1@0.3`, made with settings `f_beta(2)` or `by_group(rmse,'city')`."""

import ast
from collections.abc import Callable
from typing import Any

from kit.core.errors import KitError, nearest

METRICS: dict[str, Any] = {}  # the modules of this package fill both
FACTORIES: dict[str, Callable[..., Any]] = {}  # of metrics with settings, such as `f_beta(2)`


def register(*metrics: Any) -> None:
    """Lets `found` find these."""
    METRICS.update({metric.name: metric for metric in metrics})


def parts(name: str) -> tuple[str, str]:
    """A metric's name without its threshold, and the threshold's text, if any: `f1@0.3` is f1 and 0.3."""
    base, at, threshold = name.rpartition("@")
    return (base, threshold) if at and ")" not in threshold else (name, "")


def found(name: str) -> Any:
    """The metric of this name.

    Raises:
        KitError: there is none; it names the nearest.
    """
    base, threshold = (part.strip() for part in parts(name))
    metric = METRICS[base] if base in METRICS else _made(base, name)
    try:
        return metric.at(float(threshold)) if threshold else metric
    except ValueError:
        raise KitError(f"metric '{name}': threshold '{threshold}' is not a number") from None


def _made(text: str, name: str) -> Any:
    """The metric that a factory makes: `text` is a call of it with numbers, words in quotes, or metrics by name."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        call = None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in FACTORIES:
        known = [*METRICS, *(f"{factory}(…)" for factory in FACTORIES)]
        raise KitError(f"unknown metric '{name}'" + nearest(text, known))
    try:
        given = {word.arg or "": _argument(word.value) for word in call.keywords}
        return FACTORIES[call.func.id](*map(_argument, call.args), **given)
    except TypeError as error:
        raise KitError(f"metric '{name}': {error}") from None


def _argument(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return found(ast.unparse(node))

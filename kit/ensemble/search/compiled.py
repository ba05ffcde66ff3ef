"""Compiles the kernels of the scorers with numba."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code that can run in several threads and adds numbers in the written order.

    The code is cached on disk: beside the module or, if that folder cannot be written, in the user's cache folder. If
    neither can be written, every process compiles it again.
    """
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)

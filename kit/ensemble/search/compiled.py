"""numba's compiler, as the kernels of the scorers use it."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code that runs beside others in threads and adds in the order it is written in.

    Code is kept on disk, beside the module or, if that folder cannot be written, in the user's cache; where neither can
    be written it is compiled anew in every process.
    """
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)

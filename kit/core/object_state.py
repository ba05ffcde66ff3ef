"""The state of any object, to compare it with its state in another process."""

import copyreg
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

LOCKS = ("lock", "RLock")  # types that do not change a result


class NotComparable(Exception):
    """An object that cannot be compared. The message is the end of a sentence that begins with its name."""


def state_of(value: Any) -> tuple[Any, list[Any]]:
    """How pickle would make the object again: function, arguments and state; last the dict of its attributes.

    Raises:
        NotComparable: it cannot be pickled, or it draws random numbers, so its state changes with use.
    """
    kind = type(value)
    if kind.__name__ in LOCKS:
        return kind.__name__, []
    if isinstance(value, (random.Random, np.random.Generator, np.random.RandomState, *_of_torch("Generator"))):
        raise NotComparable("a random generator, whose state changes with use: make it where it is used, from a seed")
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:
        raise NotComparable(
            f"a {kind.__module__}.{kind.__qualname__}, and whether it has changed cannot be seen: make it inside the "
            "function, or in a function of its own under functools.cache"
        ) from None
    if isinstance(reduced, str):
        return [kind.__module__, reduced], []
    made_by, given, state, *items = [*reduced, None, None, None][:5]
    if made_by is copyreg.__newobj__:  # type: ignore[attr-defined]
        made_by, given = given[0], given[1:]
    found = [list(part) if isinstance(part, Iterator) else part for part in items]
    return made_by, [list(given), *found, state]


def as_array(value: Any) -> Any:
    """The numbers of an array or a tensor; None for other objects."""
    if isinstance(value, np.ndarray | np.generic):
        return None if value.dtype.kind == "O" else np.asarray(value)
    if isinstance(value, _of_torch("Tensor")) and value.layout == sys.modules["torch"].strided:
        return value.detach().cpu().contiguous().reshape(-1).view(sys.modules["torch"].uint8).numpy()
    return None


def _of_torch(name: str) -> tuple[Any, ...]:
    torch = sys.modules.get("torch")
    return () if torch is None else (getattr(torch, name),)

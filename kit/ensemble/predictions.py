"""Members' predictions as arrays: accepted forms, checks, weighted means and ranks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from kit.core.errors import KitError, nearest

Predictions = np.ndarray | Mapping[str, Any] | pd.DataFrame | Sequence[Any]


def by_member(predictions: Predictions, names: Sequence[str] = ()) -> tuple[np.ndarray, tuple[str, ...], bool]:
    """Predictions of several members in any of the forms that `Blend.fit` takes, as one checked array.

    Args:
        predictions: an array (members, n) or (members, n, outputs); a dict of member name → (n,) or (n, outputs); or a
            frame with one column for each member.
        names: names of the members; for a dict or a frame, the members to take, in this order. Empty: all members;
            those of an array are named by their index.

    Returns:
        The predictions (members, n, outputs), in float32 if they were, else float64 (memory-mapped files are not
        copied); the names; and whether they were given without outputs, as (members, n).

    Raises:
        KitError: a member is missing, named twice, has another shape than the others, or is not finite.
    """
    names = tuple(map(str, names))
    if isinstance(predictions, Mapping | pd.DataFrame):
        known = {str(name): column for name, column in predictions.items()}
        names = names or tuple(known)
        if missing := [name for name in names if name not in known]:
            raise KitError(f"blend: there are no predictions of member '{missing[0]}'" + nearest(missing[0], [*known]))
        arrays = [_numbers(known[name], f"predictions of member '{name}'") for name in names]
    elif isinstance(predictions, np.ndarray):
        arrays = []
    elif isinstance(predictions, list | tuple):
        arrays = [_numbers(one, f"predictions of member {i}") for i, one in enumerate(predictions)]
    else:
        kind = type(predictions).__name__
        raise KitError(f"blend: predictions must be an array, a dict or a frame of members, not {kind}")
    if not arrays and not isinstance(predictions, np.ndarray):
        raise KitError("blend: there are no predictions")
    for i, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            label = names[i] if names else i
            raise KitError(
                f"blend: predictions of member '{label}' have shape {array.shape}, those of the first {arrays[0].shape}"
            )
    whole = np.stack(arrays) if arrays else _numbers(predictions, "predictions")
    flat = whole.ndim == 2
    whole = whole[:, :, None] if flat else whole
    names = names or tuple(map(str, range(len(whole))))
    if whole.ndim != 3 or 0 in whole.shape:
        raise KitError(
            f"blend: predictions have shape {whole.shape}, not (members, rows) or (members, rows, outputs), at least 1 "
            "of each"
        )
    _check(whole, names)
    return whole, names, flat


def _numbers(values: Any, what: str) -> np.ndarray:
    """An array of float32 or float64, which is not copied; other types become float64."""
    try:
        array = np.asarray(values)
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    except (TypeError, ValueError):
        raise KitError(f"blend: {what} must be numbers") from None


def _check(predictions: np.ndarray, names: Sequence[str]) -> None:
    if len(names) != len(predictions):
        raise KitError(f"blend: predictions of {len(predictions)} members, but {len(names)} names: {', '.join(names)}")
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise KitError(f"blend: member name '{twice[0]}' occurs twice")
    for index, (name, member) in enumerate(zip(names, predictions, strict=True)):
        if bad := int((~np.isfinite(member)).any(axis=1).sum()):
            raise KitError(
                f"blend: member {index} ('{name}') has {bad} of {len(member)} rows with NaN or infinite predictions; "
                "blend only rows that every member has predicted"
            )


def as_float(array: np.ndarray, compact: bool) -> np.ndarray:
    """The array as float64; with `compact`, float32 stays float32, and memory-mapped files are not copied."""
    return array if array.dtype == np.float64 or (compact and array.dtype == np.float32) else array.astype(np.float64)


def weighted_mean(predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean (n, outputs), float64, of predictions (members, n, outputs); the weights sum to 1.

    If no weight is negative, the result is within the range of the members. It is a plain loop: unlike BLAS, it adds in
    the same order on every machine, so a blend is the same to the last bit.
    """
    total = np.zeros(predictions.shape[1:])
    used = np.flatnonzero(weights)
    for index in used:
        total += np.multiply(predictions[index], weights[index], dtype=np.float64)
    if (weights < 0).any():
        return total
    # a mean of ones may be rounded to a little over 1, which is no probability
    return total.clip(min(predictions[i].min() for i in used), max(predictions[i].max() for i in used))


def scaled_ranks(predictions: np.ndarray) -> np.ndarray:
    """Ranks within each column, scaled from 0 (lowest) to 1 (highest); ties get their mean rank.

    Args:
        predictions: (…, n, outputs).
    """
    n = predictions.shape[-2]
    if n == 1:
        return np.full(predictions.shape, 0.5)
    return np.asarray((rankdata(predictions, method="average", axis=-2) - 1) / (n - 1))

"""Labels and predictions as metrics read them: finite floats, columns that match, class indices, decisions."""

from typing import Any

import numpy as np

from kit.core.errors import KitError


def float_array(values: Any, role: str, gaps: bool = False) -> np.ndarray:
    """Finite floats, (n,) or (n, columns); a single column becomes (n,). A float keeps its width, which decides ties.

    Args:
        role: what the sentences call the values.
        gaps: NaN may stand in several columns, for what is missing.

    Raises:
        KitError: other shapes, no rows, values that are no numbers, NaN or infinite.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise KitError(f"{role} must be numbers, not {array.dtype}")
    if array.ndim not in (1, 2) or not array.size:
        raise KitError(f"{role} have shape {array.shape}, not (rows,) or (rows, outputs)")
    finite = np.isfinite(array)
    if gaps and array.ndim == 2 and array.shape[1] > 1:
        finite |= np.isnan(array)
    if not finite.all():
        bad = ~finite.reshape(len(array), -1).all(axis=1)
        where = f"{int(bad.sum())} of {len(bad)} rows, the first at position {int(bad.argmax())}"
        raise KitError(f"{role} are NaN or infinite in {where}")
    array = array if array.dtype.kind == "f" else array.astype(np.float64)
    return array[:, 0] if array.shape[1:] == (1,) else array


def same_columns(y: np.ndarray, p: np.ndarray, binary: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions (n, columns), as many columns of both; `binary` labels lie between 0 and 1."""
    y, p = y.reshape(len(y), -1), p.reshape(len(p), -1)
    if y.shape != p.shape:
        raise KitError(f"labels have {y.shape[1]} columns but predictions have {p.shape[1]}")
    if binary and (y.min() < 0 or y.max() > 1):
        raise KitError(f"labels must lie between 0 and 1; found {y.min() if y.min() < 0 else y.max():g}")
    return y, p


def class_indices(y: np.ndarray, p: np.ndarray) -> np.ndarray | None:
    """Class indices (n,) where one label belongs to several columns of predictions, else None."""
    if y.ndim > 1 or p.ndim == 1:
        return None
    wrong = (y != np.floor(y)) | (y < 0) | (y >= p.shape[1])
    if wrong.any():
        raise KitError(f"labels must be class indices 0 to {p.shape[1] - 1}; found {y[wrong][0]:g}")
    return y.astype(np.intp)


def decisions(y: np.ndarray, p: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether each label and each prediction (n, columns) is a yes; a soft label is one from 0.5."""
    y, p = same_columns(y, p, binary=True)
    return y >= 0.5, p >= threshold


def one_hot(classes: np.ndarray, number: int) -> np.ndarray:
    """(n, number) bool: the column of each row's class is true."""
    return np.asarray(classes[:, None] == np.arange(number))

"""Labels that are missing (NaN) in some rows of one of several targets, and scores that are missing."""

from collections.abc import Sequence

import numpy as np

from kit.core.errors import KitError
from kit.metrics.arrays import same_columns

Known = tuple[np.ndarray, np.ndarray, np.ndarray]  # of a target: positions of its known rows, their labels, predictions


def has_gaps(y: np.ndarray) -> bool:
    """Whether labels (n, targets) of several targets have gaps; of one target, every row has its label."""
    return y.ndim == 2 and y.shape[1] > 1 and bool(np.isnan(y).any())


def known_of_targets(y: np.ndarray, p: np.ndarray) -> list[Known]:
    """The known rows of each target, (k,) each, of labels (n, targets) and predictions (n, targets).

    Raises:
        KitError: they have different columns, or a target has no label.
    """
    y, p = same_columns(y, p)
    known = [np.flatnonzero(~missing) for missing in np.isnan(y).T]
    if empty := [j for j, rows in enumerate(known) if not len(rows)]:
        raise KitError(f"target {empty[0] + 1} of {len(known)} has no label in any of these {len(y)} rows")
    return [(rows, y[rows, j], p[rows, j]) for j, rows in enumerate(known)]


def mean_of_known(scores: np.ndarray, weights: Sequence[float] = ()) -> np.ndarray:
    """Mean over columns of the scores (columns, …) that are not NaN; nan where none is.

    Args:
        scores: of each column, one or several sets of them.
        weights: of the columns; empty: all equal.

    Raises:
        KitError: there are not as many weights as columns.
    """
    known = ~np.isnan(scores)
    if not weights and scores.ndim == 1:  # the sum of NumPy's own mean, bit for bit
        return np.asarray(scores[known].mean() if known.any() else np.nan)
    if weights and len(weights) != len(scores):
        raise KitError(f"{len(weights)} weights for {len(scores)} columns")
    shares = known * np.reshape(weights, (-1, *[1] * (scores.ndim - 1))) if weights else known
    whole = shares.sum(axis=0)
    return np.asarray((shares * np.where(known, scores, 0)).sum(axis=0) / np.where(whole > 0, whole, np.nan))

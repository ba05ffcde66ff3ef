"""The loss of each row, by which tables and contact sheets choose the most wrong ones."""

import numpy as np

from kit.ensemble.predictions import scaled_ranks

TINY = 1e-6  # a probability of 0 says no more than this


def row_losses(kind: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n,) loss of each row: log loss, summed over targets; of values, the error in standard deviations of the label.

    Predictions that are no probabilities are first ranked, within their column.

    Args:
        kind: of the task.
        y: (n, targets) labels; one that is missing (NaN) adds no loss.
        p: (n, outputs) predictions.
    """
    p = np.asarray(p, dtype=np.float64)
    if kind == "regression":
        spread = np.nanstd(y, axis=0)
        return np.asarray(np.nansum(np.abs(y - p) / np.where(spread > 0, spread, 1), axis=1))
    if p.min() < -TINY or p.max() > 1 + TINY:
        p = scaled_ranks(p)
    p = p.clip(TINY, 1 - TINY)
    if kind == "multiclass":
        return np.asarray(-np.log(p[np.arange(len(p)), y[:, 0].astype(int)] / p.sum(axis=1)))
    return np.asarray(np.nansum(-(y * np.log(p) + (1 - y) * np.log1p(-p)), axis=1))

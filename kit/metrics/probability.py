"""Metrics of calibrated probabilities."""

from dataclasses import replace

import numpy as np

from kit.core.errors import KitError
from kit.metrics.arrays import class_indices, one_hot, same_columns
from kit.metrics.metric import Metric
from kit.metrics.names import register


def _check(p: np.ndarray) -> None:
    if p.min() < -1e-6 or p.max() > 1 + 1e-6:
        raise KitError(f"predictions must be probabilities; they run from {p.min():g} to {p.max():g}")


def log_losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Log loss of each cell, or of each row of classes, whose probabilities are first made to sum to one."""
    _check(p)
    # not by the width of the predictions: the bank's float32 and a blend's float64 of one member must score the same
    tiny = float(np.finfo(np.float64).eps)
    q = np.clip(p.astype(np.float64), tiny, 1 - tiny)
    if (c := class_indices(y, p)) is not None:
        return np.asarray(-np.log(q[np.arange(len(q)), c] / q.sum(axis=1)))
    y, q = same_columns(y, q, binary=True)
    return np.asarray(-(y * np.log(q) + (1 - y) * np.log1p(-q)))


def brier_scores(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Squared error of each cell, or the sum of those of a row's classes (Brier 1950)."""
    _check(p)
    p = p.astype(np.float64)
    if (c := class_indices(y, p)) is not None:
        return np.asarray(((p - one_hot(c, p.shape[1])) ** 2).sum(axis=1))
    y, p = same_columns(y, p, binary=True)
    return (y - p) ** 2


# mean over rows and columns
log_loss = Metric(
    name="log_loss", row_stats=log_losses, greater_is_better=False, needs="probability", family="log_loss",
    separable=True,
)  # fmt: skip
brier = Metric(
    name="brier", row_stats=brier_scores, greater_is_better=False, separable=True, needs="probability",
    kinds=("binary", "multilabel", "multiclass"),
)  # fmt: skip
# the log loss of each column, then the mean over columns: of whole columns the same number
mean_column_log_loss = replace(log_loss, name="mean_column_log_loss", by_column=True, kinds=("binary", "multilabel"))

register(log_loss, brier, mean_column_log_loss)

"""Metrics of ordered grades."""

import numpy as np

from kit.core.errors import KitError
from kit.metrics.arrays import class_indices, same_columns
from kit.metrics.metric import Metric
from kit.metrics.names import register


def grades(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grades of labels and of predictions, (n, 1): class probabilities by argmax, values rounded, halves up."""
    predicted = np.floor(p.astype(np.float64) + 0.5) if class_indices(y, p) is None else p.argmax(axis=1)
    y, predicted = same_columns(y, predicted)
    if y.shape[1] > 1 or (y != np.floor(y)).any():
        raise KitError("labels must be whole numbers in one column")
    return y, predicted


def _quadratic_kappa(y: np.ndarray, p: np.ndarray) -> float:
    """Agreement of ordinal grades (Cohen 1968): 1 - mean (y - p)² / its mean over all pairs of rows; nan for one grade.

    An absent grade keeps its place on the scale, as in scikit-learn where it is given all `labels`.
    """
    y, predicted = grades(y, p)
    by_chance = y.var() + predicted.var() + (y.mean() - predicted.mean()) ** 2
    return float(1 - ((y - predicted) ** 2).mean() / by_chance) if (y != y[0]).any() else np.nan


def grade_stats(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n, 5): both grades, their squares, the square of their difference."""
    y, predicted = grades(y, p)
    predicted = np.asarray(predicted, dtype=np.float64)
    return np.hstack([y, predicted, y * y, predicted * predicted, (y - predicted) ** 2])


def kappa_of_sums(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Quadratic kappa of the sums of `grade_stats`."""
    y, predicted, yy, pp, error = sums / n
    spread = yy - y * y
    by_chance = spread + pp - predicted * predicted + (y - predicted) ** 2
    return np.asarray(np.where(spread > 1e-12, 1 - error / np.where(by_chance > 0, by_chance, 1), np.nan))


quadratic_kappa = Metric(
    _quadratic_kappa, "quadratic_kappa", row_stats=grade_stats, from_sums=kappa_of_sums, greater_is_better=True,
    needs="grade", needs_variety=True, family="kappa", kinds=("regression", "binary", "multiclass"),
)  # fmt: skip

register(quadratic_kappa)

"""Quadratic weighted kappa of candidates: from three sums over the grades they come to."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric


class Kappa(Scorer):
    """`quadratic_kappa` of values, rounded to the nearest grade, or of probabilities of the grades."""

    exact = False  # its variances are taken from sums

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        self.truth = np.asarray(y, dtype=np.float64).ravel()
        self.middle = float(np.round(self.truth.mean()))  # grades are counted from here: small numbers, exact sums
        self.truth = self.truth - self.middle

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        n, truth = len(self.truth), self.truth
        said, square, error = grades(self.predictions[member], current, keep, add, truth, self.middle) / n
        chance = truth.var() + (square - said**2) + (truth.mean() - said) ** 2
        return float(1 - error / chance) if (truth != truth[0]).any() else np.nan


@compiled
def grades(p: Any, current: Any, keep: float, add: float, truth: Any, middle: float) -> Any:
    """Sums over rows of the grade, of its square and of its squared distance to the truth, counted from the middle."""
    said, square, error = 0.0, 0.0, 0.0
    for i in range(len(p)):
        top = keep * current[i, 0] + add * p[i, 0]
        grade = np.floor(top + 0.5)
        if p.shape[1] > 1:
            grade = 0.0
            for c in range(1, p.shape[1]):
                v = keep * current[i, c] + add * p[i, c]
                if v > top:
                    grade, top = float(c), v
        grade -= middle
        said += grade
        square += grade * grade
        error += (truth[i] - grade) ** 2
    return np.array([said, square, error])

"""Quadratic weighted kappa of candidates, from three sums over the predicted grades."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric


class Kappa(Scorer):
    """`quadratic_kappa` of values, rounded to the nearest grade, or of probabilities of the grades."""

    exact = False  # variances are computed from sums

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        self.truth = np.asarray(y, dtype=np.float64).ravel()
        self.middle = float(np.round(self.truth.mean()))  # origin of the grades: small numbers have exact sums
        self.truth = self.truth - self.middle

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        n, truth = len(self.truth), self.truth
        mean, square, error = grade_sums(self.predictions[member], current, keep, add, truth, self.middle) / n
        by_chance = truth.var() + (square - mean**2) + (truth.mean() - mean) ** 2
        return float(1 - error / by_chance) if (truth != truth[0]).any() else np.nan


@compiled
def grade_sums(p: Any, current: Any, keep: float, add: float, truth: Any, middle: float) -> Any:
    """Sums over rows of the grade, its square, and its squared distance to the true grade; grades minus `middle`."""
    total, square, error = 0.0, 0.0, 0.0
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
        total += grade
        square += grade * grade
        error += (truth[i] - grade) ** 2
    return np.array([total, square, error])

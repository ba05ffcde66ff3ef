"""Root mean square error of candidates."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric

LANES = 64  # at least so many sums side by side


class Squares(Scorer):
    """`rmse`: the root of each column's mean square error, then the mean over columns."""

    exact = False  # the sum is added in another order

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        self.truth = np.asarray(y, dtype=np.float64).ravel()
        self.columns = predictions.shape[2]

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p = self.predictions[member]
        sums = squares(p.reshape(-1), current.reshape(-1), keep, add, self.truth, self.columns)
        return float(np.sqrt(sums / len(p)).mean())


@compiled
def squares(p: Any, current: Any, keep: float, add: float, truth: Any, columns: int) -> Any:
    """Sum of squares of each column's errors; cells lie row by row."""
    lanes = columns * (1 + (LANES - 1) // columns)  # a lane sees cells of one column only
    parts, n = np.zeros(lanes), len(p)
    for begin in range(0, n, lanes):
        end = min(begin + lanes, n)
        q, own, y = p[begin:end], current[begin:end], truth[begin:end]
        for i in range(end - begin):
            error = y[i] - (keep * own[i] + add * q[i])
            parts[i] += error * error
    sums = np.zeros(columns)
    for lane in range(lanes):
        sums[lane % columns] += parts[lane]
    return sums

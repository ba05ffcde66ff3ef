"""Log loss of candidates: one logarithm of a product of many cells, not one logarithm for each cell."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric

TINY = float(np.finfo(np.float64).eps)  # the metric clips at the same value
LANES, DEPTH = 64, 16  # TINY ** DEPTH is still a float; the products of several lanes are computed at the same time


class LogLoss(Scorer):
    """`log_loss` of one or several columns of labels, hard or soft, or of classes."""

    exact = False  # the sum is added in another order

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        y = np.asarray(y).reshape(len(y), -1)
        self.classes = y.shape[1] == 1 and predictions.shape[2] > 1
        self.hard = bool(((y == 0) | (y == 1)).all())
        form = np.int32 if self.classes else np.bool_ if self.hard else np.float64
        self.truth: np.ndarray = y.ravel().astype(form)

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p = self.predictions[member]
        if self.classes:
            return -logs_of_classes(p, current, keep, add, self.truth) / len(p)
        kernel = logs_of_hard if self.hard else logs_of_soft
        return -kernel(p.reshape(-1), current.reshape(-1), keep, add, self.truth) / p.size


@compiled
def logs_of_hard(p: Any, current: Any, keep: float, add: float, truth: Any) -> float:
    """Sum over cells of the log probability of the true label; labels are 0 or 1."""
    total, n = 0.0, len(p)
    lanes = np.empty(LANES)
    for first in range(0, n, LANES * DEPTH):
        lanes[:] = 1.0
        for begin in range(first, min(first + LANES * DEPTH, n), LANES):
            end = min(begin + LANES, n)
            q, own, yes = p[begin:end], current[begin:end], truth[begin:end]
            for i in range(end - begin):
                v = min(max(keep * own[i] + add * q[i], TINY), 1 - TINY)
                lanes[i] *= v if yes[i] else 1 - v
        for lane in lanes:
            total += np.log(lane)
    return total


@compiled
def logs_of_soft(p: Any, current: Any, keep: float, add: float, truth: Any) -> float:
    """The same for labels between 0 and 1."""
    total = 0.0
    for i in range(len(p)):
        v = min(max(keep * current[i] + add * p[i], TINY), 1 - TINY)
        total += truth[i] * np.log(v) + (1 - truth[i]) * np.log1p(-v)
    return total


@compiled
def logs_of_classes(p: Any, current: Any, keep: float, add: float, truth: Any) -> float:
    """Sum over rows of the log of the true class's probability, divided by the row's sum."""
    total, product, depth = 0.0, 1.0, 0
    for i in range(len(p)):
        whole, own = 0.0, 0.0
        for c in range(p.shape[1]):
            v = min(max(keep * current[i, c] + add * p[i, c], TINY), 1 - TINY)
            whole += v
            if c == truth[i]:
                own = v
        product *= own / whole
        depth += 1
        if depth == DEPTH:
            total += np.log(product)
            product, depth = 1.0, 0
    return total + np.log(product)

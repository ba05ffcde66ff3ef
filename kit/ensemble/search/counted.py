"""F1 and accuracy of candidates: both follow from a few counts of decisions."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric, f1

LANES = 64  # at least so many counts side by side


class Counted(Scorer):
    """`f1` and `accuracy` at the metric's threshold, and the accuracy of classes, which the highest decides."""

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        y = np.asarray(y).reshape(len(y), -1)
        self.classes = y.shape[1] == 1 and predictions.shape[2] > 1
        self.truth = y[:, 0].astype(np.int64) if self.classes else (y >= 0.5).ravel()
        self.positive = (y >= 0.5).sum(axis=0)

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p = self.predictions[member]
        if self.classes:
            return float(highest(p, current, keep, add, self.truth) / len(p))
        columns, threshold = p.shape[1], self.metric.threshold
        hits, said = decisions(p.reshape(-1), current.reshape(-1), keep, add, self.truth, threshold, columns)
        if self.metric.fn is f1.fn:
            return float((2 * hits / np.maximum(self.positive + said, 1)).mean())
        wrong = (self.positive + said - 2 * hits).sum()
        return float((p.size - wrong) / p.size)


@compiled
def decisions(p: Any, current: Any, keep: float, add: float, truth: Any, threshold: float, columns: int) -> Any:
    """Right yeses and all yeses (columns,) each; cells lie row by row."""
    lanes = columns * (1 + (LANES - 1) // columns)  # a lane sees cells of one column only
    hit, say, n = np.zeros(lanes, np.int32), np.zeros(lanes, np.int32), len(p)
    for begin in range(0, n, lanes):
        end = min(begin + lanes, n)
        q, own, yes = p[begin:end], current[begin:end], truth[begin:end]
        for i in range(end - begin):
            above = np.int32(keep * own[i] + add * q[i] >= threshold)
            say[i] += above
            hit[i] += above & np.int32(yes[i])
    hits, said = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    for lane in range(lanes):
        hits[lane % columns] += hit[lane]
        said[lane % columns] += say[lane]
    return hits, said


@compiled
def highest(p: Any, current: Any, keep: float, add: float, truth: Any) -> int:
    """Rows whose highest column, the first of equals, is the true class."""
    right = 0
    for i in range(len(p)):
        best, top = 0, keep * current[i, 0] + add * p[i, 0]
        for c in range(1, p.shape[1]):
            v = keep * current[i, c] + add * p[i, c]
            if v > top:
                best, top = c, v
        right += best == truth[i]
    return right

"""Scorers of metrics of decisions: they only count how many rows of each kind get the answer yes, or each class."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric
from kit.metrics.sums import kinds_of_rows

LANES = 64  # smallest number of counters that are updated in turn


class Decided(Scorer):
    """A metric that compares each column with a threshold.

    Rows are of the same kind if a change from no to yes adds the same to the sums. F1 has two kinds: positive and
    negative rows. For each candidate, only the rows of each kind at or above the threshold are counted.
    """

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        columns = [kinds_of_rows(metric, column) for column in y.T]
        self.number = max(len(kinds.changes) for kinds in columns)
        self.base = np.stack([kinds.base for kinds in columns], axis=1)  # (k, columns): the sums if all answers were no
        self.changes = np.zeros((self.number, *self.base.shape))  # change of the sums by a yes, for each kind
        for at, kinds in enumerate(columns):
            self.changes[: len(kinds.changes), :, at] = kinds.changes
        of_rows = np.stack([kinds.of_row for kinds in columns], axis=1).ravel()
        self.kinds = of_rows if self.number <= 2 else of_rows.astype(np.int32)
        self.rows = np.full(y.shape[1], len(y))
        whole = (self.base == np.round(self.base)).all() and (self.changes == np.round(self.changes)).all()
        self.exact = metric.fn is None and bool(whole)

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p, metric = self.predictions[member], self.metric
        given = p.reshape(-1), current.reshape(-1), keep, add, self.kinds, metric.threshold, p.shape[1]
        if self.number <= 2:
            second, every = yes_counts(*given)
            sums = self.base + self.changes[0] * (every - second) + self.changes[-1] * second
        else:
            sums = self.base + (self.changes * decisions_by_kind(*given, self.number)[:, None, :]).sum(axis=0)
        if metric.is_mean_of_rows and not metric.by_column:
            return float(sums.sum() / (len(p) * sums.size))
        scores = metric.of_sums(sums, self.rows)
        return float(metric.mean_of_columns(scores) if metric.by_column else scores[0])


class DecidedClasses(Scorer):
    """A metric of the most probable class: each candidate needs only a table of true and predicted classes."""

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        classes = predictions.shape[2]
        self.truth = np.asarray(y).ravel().astype(np.int64)
        true, predicted = np.divmod(np.arange(classes * classes), classes)
        stats = metric.stats(true.astype(np.float64), np.eye(classes)[predicted])
        assert stats is not None
        self.stats = stats.astype(np.float64)  # (classes * classes, k)
        self.exact = metric.fn is None and bool((self.stats == np.round(self.stats)).all())

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p = self.predictions[member]
        counts = class_counts(p, current, keep, add, self.truth)
        sums = counts.reshape(-1).astype(np.float64) @ self.stats
        return float(self.metric.of_sums(sums[:, None], np.array([len(p)]))[0])


@compiled
def yes_counts(p: Any, current: Any, keep: float, add: float, marked: Any, threshold: float, columns: int) -> Any:
    """Number of yes among marked rows, and among all rows, (columns,) each; cells are in row-major order."""
    lanes = columns * (1 + (LANES - 1) // columns)  # a lane sees cells of one column only
    hit, yes, n = np.zeros(lanes, np.int32), np.zeros(lanes, np.int32), len(p)
    for begin in range(0, n, lanes):
        end = min(begin + lanes, n)
        q, own, mark = p[begin:end], current[begin:end], marked[begin:end]
        for i in range(end - begin):
            above = np.int32(keep * own[i] + add * q[i] >= threshold)
            yes[i] += above
            hit[i] += above & np.int32(mark[i])
    hits, every = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    for lane in range(lanes):
        hits[lane % columns] += hit[lane]
        every[lane % columns] += yes[lane]
    return hits, every


@compiled
def decisions_by_kind(
    p: Any, current: Any, keep: float, add: float, kinds: Any, threshold: float, columns: int, number: int
) -> Any:
    """Number of yes among the rows of each kind, (number, columns); cells are in row-major order."""
    counts = np.zeros((number, columns), np.int64)
    for i in range(len(p)):
        counts[kinds[i], i % columns] += keep * current[i] + add * p[i] >= threshold
    return counts


@compiled
def class_counts(p: Any, current: Any, keep: float, add: float, truth: Any) -> Any:
    """Counts of true and predicted classes. The predicted class is the highest column; of equal ones the first."""
    counts = np.zeros(
        (4, p.shape[1], p.shape[1]), np.int64
    )  # neighbouring rows use different tables, so that they need not wait for each other
    for i in range(len(p)):
        best, top = 0, keep * current[i, 0] + add * p[i, 0]
        for c in range(1, p.shape[1]):
            v = keep * current[i, c] + add * p[i, c]
            if v > top:
                best, top = c, v
        counts[i & 3, truth[i], best] += 1
    return counts[0] + counts[1] + counts[2] + counts[3]

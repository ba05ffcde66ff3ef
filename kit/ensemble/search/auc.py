"""Exact area under the ROC curve of candidates, without sorting: the time is proportional to the number of rows.

The area is the share of pairs of a positive and a negative row in which the positive row has the higher prediction
(Mann & Whitney 1947). The predictions of the rarer class are counted in the bins of a table. For each other row, the
table gives the number of them in higher bins. Only predictions in the same bin, usually none, are compared one by one.
"""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric

BINS = 1 << 11, 1 << 18  # smallest and largest number of bins; the largest table fills the cache of a core
BLOCK = 1024  # rows
SAMPLE = 512  # rows from which the form of the bins is chosen
FEW = 12  # up to so many values of a bin are compared one by one; in more, binary search is used


class Auc(Scorer):
    """`roc_auc` and `mean_roc_auc`: the (weighted) mean over the columns that have both classes."""

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        assert not clip, "to be cut makes ties"
        super().__init__(metric, y, predictions)
        yes = np.asarray(y).reshape(len(y), -1) >= 0.5
        count = yes.sum(axis=0)
        self.rare = count * 2 <= len(y)  # for each column, whether the positives are the rarer class
        self.defined = np.flatnonzero((count > 0) & (count < len(y)))
        self.pairs = count.astype(float) * (len(y) - count)
        self.marked = [np.flatnonzero(yes[:, c] == self.rare[c]).astype(np.int32) for c in range(yes.shape[1])]

    def prepare(self, current: np.ndarray) -> np.ndarray:
        return transposed(current)

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p, areas = transposed(self.predictions[member]), np.full(len(self.marked), np.nan)
        for c in self.defined:
            pairs = outranked(p[c], current[c], keep, add, self.marked[c]) / 2
            areas[c] = (pairs if self.rare[c] else self.pairs[c] - pairs) / self.pairs[c]
        return float(self.metric.mean_of_columns(areas))


def outranked(p: np.ndarray, current: np.ndarray, keep: float, add: float, marked: np.ndarray) -> int:
    """Twice the number of pairs in which a marked row is above an unmarked row; ties count once.

    Args:
        p: (n,) a member's predictions.
        current: (n,) float64.
        marked: positions of the marked rows.
    """
    ordered = np.sort(mixed(p, current, keep, add, marked))
    step = max(1, len(p) // SAMPLE)
    sample = mixed(p, current, keep, add, np.arange(0, len(p), step))
    start, scale, shift = bin_table(ordered, sample)
    # subtract pairs of marked rows, which were counted too; each row is a tie with itself
    return int(above(p, current, keep, add, ordered, start, scale, shift)) - len(marked) ** 2


@compiled
def transposed(p: Any) -> Any:
    """A transposed copy, so that each column is contiguous: (outputs, n)."""
    columns = np.empty((p.shape[1], p.shape[0]), p.dtype)
    for i in range(p.shape[0]):
        for c in range(p.shape[1]):
            columns[c, i] = p[i, c]
    return columns


@compiled
def mixed(p: Any, current: Any, keep: float, add: float, rows: Any) -> Any:
    """The candidate's predictions of these rows."""
    values = np.empty(len(rows))
    for t in range(len(rows)):
        values[t] = keep * current[rows[t]] + add * p[rows[t]] + 0.0  # turn -0 into 0
    return values


@compiled
def bin_table(ordered: Any, sample: Any) -> Any:
    """`start[b]`, the number of marked values in bins before b; and the form of the bins: `scale` and `shift`.

    Bins have equal width. If too many rows fall into the same bins and no value is negative, bins have equal width in
    the bits of the floats instead, which is about a log scale. Bin 0 is below all marked values, the last bin above.
    """
    bins = BINS[0]
    while bins < min(8 * len(ordered), BINS[1]):
        bins *= 2
    low, high = ordered[0], ordered[-1]
    scale = bins / (high - low) if high > low else 0.0
    scale = scale if scale < np.inf else 0.0
    start = _starts(ordered, low, scale, -1, bins)
    if low < 0 or _crowd(sample, low, scale, -1, bins, start) <= len(sample) // 2:
        return start, scale, -1
    ends, shift = np.array([low, high]).view(np.int64), 0
    while (ends[1] - ends[0]) >> shift >= bins:
        shift += 1
    other = _starts(ordered, low, scale, shift, bins)
    if _crowd(sample, low, scale, shift, bins, other) < _crowd(sample, low, scale, -1, bins, start):
        return other, scale, shift
    return start, scale, -1


@compiled
def above(p: Any, current: Any, keep: float, add: float, ordered: Any, start: Any, scale: float, shift: int) -> int:
    """Sum over all rows: twice the number of ordered values above the row's value, plus the number equal to it."""
    total, low, bins = 0, ordered[0], len(start) - 3
    # one look-up for each row: the number of values in higher bins; the last bit says whether its own bin has any
    packed = np.empty(bins + 2, np.int32)
    for b in range(bins + 2):
        packed[b] = 2 * (len(ordered) - start[b + 1]) + (start[b + 1] > start[b])
    values, spots, held = np.empty(BLOCK), np.empty(BLOCK, np.uint32), np.empty(BLOCK + 1, np.uint32)
    for first in range(0, len(p), BLOCK):
        q, own = p[first : first + BLOCK], current[first : first + BLOCK]
        for i in range(len(q)):
            values[i] = keep * own[i] + add * q[i] + 0.0
        _spots(values[: len(q)], low, scale, shift, bins, spots)
        higher, count = 0, 0
        for i in range(len(q)):
            found = packed[spots[i]]
            higher += found >> 1
            held[count] = i  # written always, kept only if counted: a branch here could not be predicted by the CPU
            count += found & 1
        total += 2 * higher
        for t in range(count):
            i = held[t]
            total += _within(ordered, start[spots[i]], start[spots[i] + np.uint32(1)], values[i])
    return total


@compiled
def _spots(values: Any, low: float, scale: float, shift: int, bins: int, spots: Any) -> None:
    """The bin of each value, 0 to bins + 1; a greater value never has a lower bin."""
    if shift < 0:
        for i in range(len(values)):
            spots[i] = np.uint32(np.int32(min(max((values[i] - low) * scale + 1.0, 0.0), bins + 1.0)))
    else:
        bits, base = values.view(np.int64), np.array([low]).view(np.int64)[0]
        for i in range(len(values)):
            spots[i] = np.uint32(0 if values[i] < low else min(((bits[i] - base) >> shift) + 1, bins + 1))


@compiled
def _starts(ordered: Any, low: float, scale: float, shift: int, bins: int) -> Any:
    start, spots = np.zeros(bins + 3, np.int32), np.empty(len(ordered), np.uint32)
    _spots(ordered, low, scale, shift, bins, spots)
    for spot in spots:
        start[spot + np.uint32(1)] += 1
    for b in range(1, len(start)):
        start[b] += start[b - 1]
    return start


@compiled
def _crowd(sample: Any, low: float, scale: float, shift: int, bins: int, start: Any) -> int:
    """Number of marked values in the bins of the sampled rows."""
    spots, met = np.empty(len(sample), np.uint32), 0
    _spots(sample, low, scale, shift, bins, spots)
    for spot in spots:
        met += start[spot + np.uint32(1)] - start[spot]
    return met


@compiled
def _within(ordered: Any, a: int, b: int, value: float) -> int:
    """Twice the number of `ordered[a:b]` above the value, plus the number equal to it."""
    if b - a <= FEW:
        count = 0
        for t in range(a, b):
            count += 2 * (ordered[t] > value) + (ordered[t] == value)
        return count
    left, right = a, b
    while left < right:
        middle = (left + right) // 2
        if ordered[middle] < value:
            left = middle + 1
        else:
            right = middle
    upper, right = left, b
    while upper < right:
        middle = (upper + right) // 2
        if ordered[middle] <= value:
            upper = middle + 1
        else:
            right = middle
    return 2 * b - left - upper

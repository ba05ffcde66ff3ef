"""Root mean square error of candidates.

The squared error of a blend is a sum over pairs of members: weights times the sum over rows of the product of their
errors (Bates & Granger 1969). These sums are computed once; then a candidate is scored without reading the rows. If the
terms nearly cancel each other, rounding is too large for this, and the score is computed from the rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric

LANES = 64  # smallest number of sums that are updated in turn
MEMBERS = 1000  # with more members, computing all pairs would take longer than it saves
BLOCK = 1 << 20  # predictions in one block of sums: 8 MiB
CANCELS = 100.0  # a sum may be this many times smaller than its terms


class Squares(Scorer):
    """`rmse`: the root of each column's mean square error, then the mean over columns."""

    exact = False  # the sum is added in another order

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        self.truth = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        # sum of squared labels, for the size of rounding errors: weights sum to 1 only up to rounding
        self.level = (self.truth**2).sum(axis=0)[:, None]
        self.pairs: np.ndarray | None = None

    def scores(
        self,
        current: np.ndarray,
        members: Sequence[int],
        keep: float,
        adds: Sequence[float],
        parts: np.ndarray | None = None,
    ) -> np.ndarray:
        if parts is None or len(self.predictions) > MEMBERS:
            return super().scores(current, members, keep, adds)
        which, add = np.array(members, dtype=int), np.array(adds)
        kept = 1 - add if np.isnan(keep) else np.full(len(add), keep)
        if self.pairs is None:
            self.pairs = self._pairs()
        together = self.pairs @ parts  # (outputs, members): products of the errors of `current` and of each member
        own = np.diagonal(self.pairs, axis1=1, axis2=2)
        sums = kept**2 * (together @ parts)[:, None] + 2 * kept * add * together[:, which] + add**2 * own[:, which]
        size = np.sqrt(own)
        terms = (np.abs(kept) * (size @ np.abs(parts))[:, None] + np.abs(add) * size[:, which]) ** 2
        good = ((sums * CANCELS > terms) & (sums * CANCELS**2 > self.level)).all(axis=0)
        scores = np.sqrt(np.where(good, sums, 0) / len(self.truth)).mean(axis=0)
        rest = np.flatnonzero(~good)
        if len(rest):
            scores[rest] = self.one_by_one(current, which[rest].tolist(), kept[rest].tolist(), add[rest].tolist())
        return np.asarray(scores)

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p = self.predictions[member]
        sums = squares(p.reshape(-1), current.reshape(-1), keep, add, self.truth.reshape(-1), p.shape[1])
        return float(np.sqrt(sums / len(p)).mean())

    def _pairs(self) -> np.ndarray:
        """Sums over rows of the products of two members' errors, (outputs, members, members)."""
        members, n, columns = self.predictions.shape
        pairs = np.zeros((columns, members, members))
        rows = max(1, min(BLOCK, self.predictions.size // 16) // (members * columns))
        for first in range(0, n, rows):
            block = self.predictions[:, first : first + rows].astype(np.float64)
            block -= self.truth[first : first + rows]
            errors = np.ascontiguousarray(block.transpose(2, 0, 1))
            pairs += errors @ errors.transpose(0, 2, 1)
        return pairs


@compiled
def squares(p: Any, current: Any, keep: float, add: float, truth: Any, columns: int) -> Any:
    """Sum of squared errors of each column; cells are in row-major order."""
    lanes = columns * (1 + (LANES - 1) // columns)  # each lane has cells of one column only
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

"""Root mean square error of candidates.

The squared error of a blend is a sum over pairs of members of how their errors go together (Bates & Granger 1969).
Those sums are made once; a candidate then costs no look at the rows. Where errors all but cancel, little of the sum is
left beside its rounding: then the rows are asked.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.ensemble.search.compiled import compiled
from kit.metrics import Metric

LANES = 64  # at least so many sums side by side
MEMBERS = 1000  # the pairs of more would cost more than they spare
BLOCK = 1 << 20  # predictions whose pairs are summed at a time: 8 MiB
CANCELS = 100.0  # times smaller than its terms may a sum be


class Squares(Scorer):
    """`rmse`: the root of each column's mean square error, then the mean over columns."""

    exact = False  # the sum is added in another order

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        self.truth = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        # members' errors leave it out, which is right where weights sum to 1: but for rounding they do
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
        together = self.pairs @ parts  # (outputs, members): errors of what is in, beside each member's
        own = np.diagonal(self.pairs, axis1=1, axis2=2)
        sums = kept**2 * (together @ parts)[:, None] + 2 * kept * add * together[:, which] + add**2 * own[:, which]
        size = np.sqrt(own)
        terms = (np.abs(kept) * (size @ np.abs(parts))[:, None] + np.abs(add) * size[:, which]) ** 2
        good = ((sums * CANCELS > terms) & (sums * CANCELS**2 > self.level)).all(axis=0)
        scores = np.sqrt(np.where(good, sums, 0) / len(self.truth)).mean(axis=0)
        rest = np.flatnonzero(~good)
        if len(rest):
            scores[rest] = self.asked(current, which[rest].tolist(), kept[rest].tolist(), add[rest].tolist())
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

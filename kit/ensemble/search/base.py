"""Scorer: the base class, and the plain scorer that calls the metric itself."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np

from kit.core.threads import threads
from kit.metrics import Metric

NEAR = 2e-11  # relative difference below which two scores may be equal after rounding


class Scorer(ABC):
    """Scores candidates: blends `keep * current + add * predictions[member]`, computed in float64 in this very order.

    `current` is the sum or blend of what was chosen so far. The candidates of a round differ in one member only, so
    everything else is computed once for each round.

    Args:
        metric: the metric that scores candidates.
        y: (n, targets) labels.
        predictions: (members, n, outputs) floats of any width, also memory-mapped; they are never copied as a whole.
        clip: whether candidates are clipped to [0, 1] before they are scored, for weights that may be negative.
    """

    threads = True  # whether `score` may be called from several threads at once
    exact = True  # True: `score` equals the metric's own value to the last bit; False: the difference is below NEAR

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        self.metric, self.y, self.clip = metric, y, clip
        self.predictions = np.asarray(predictions)  # makes a plain array of a memory map, without a copy
        self.sign = 1 if metric.greater_is_better else -1

    def prepare(self, current: np.ndarray) -> np.ndarray:
        """`current` in the form that `score` needs; called once for each round."""
        return current

    @abstractmethod
    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        """The score of one candidate; several threads call this at the same time."""

    def scores(
        self,
        current: np.ndarray,
        members: Sequence[int],
        keep: float,
        adds: Sequence[float],
        parts: np.ndarray | None = None,
    ) -> np.ndarray:
        """Scores (candidates,) of `keep * current + add * predictions[member]`.

        Args:
            current: (n, outputs) float64.
            members: (candidates,) index of the member that each candidate adds.
            keep: factor of `current`; `nan` means 1 - add.
            adds: (candidates,) factor of the added member.
            parts: (members,) weights of the members in `current`. With them, `Squares` computes scores from sums and
                does not read the rows.
        """
        return self.one_by_one(current, members, [1 - add if math.isnan(keep) else keep for add in adds], adds)

    def one_by_one(
        self, current: np.ndarray, members: Sequence[int], keeps: Sequence[float], adds: Sequence[float]
    ) -> np.ndarray:
        """The `score` of each candidate, computed in threads if that is safe."""
        prepared = self.prepare(current)
        if not self.threads:
            return np.array([self.score(prepared, m, k, a) for m, k, a in zip(members, keeps, adds, strict=True)])
        with ThreadPoolExecutor(threads()) as pool:
            return np.array(list(pool.map(self.score, repeat(prepared), members, keeps, adds)))

    def blended(self, current: np.ndarray, member: int, keep: float, add: float) -> np.ndarray:
        """The candidate itself, (n, outputs) float64."""
        blend = keep * current
        blend += np.multiply(self.predictions[member], add, dtype=np.float64)
        return blend.clip(0, 1, out=blend) if self.clip else blend

    def plain(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        """The metric's own score of one candidate."""
        return self.metric(self.y, self.blended(current, member, keep, add))

    def value(self, score: float) -> float:
        """A score for comparisons: greater is better, and rounded, so that rounding noise makes no difference."""
        return self.sign * float(f"{score:.12g}")


class Plain(Scorer):
    """Computes the metric of every candidate: for metrics without a faster scorer, and for few rows."""

    threads = False  # a user's own metric may not be thread-safe

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        return self.plain(current, member, keep, add)


def near(a: float, b: float) -> bool:
    """Whether two scores are so close that their difference may be rounding noise."""
    return abs(a - b) <= NEAR * max(abs(a), abs(b)) + 1e-14

"""What a scorer is, and the plain one that asks the metric itself."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np

from kit.metrics import Metric
from kit.threads import threads

NEAR = 2e-11  # scores that lie this close, in parts of their size, may be equal after rounding


class Scorer(ABC):
    """Judges candidates: blends `keep * current + add * predictions[member]`, computed in float64 in this very order.

    `current` is a sum or a blend of what was chosen so far; a round changes one member of it, so the rest is computed
    once a round and not once a candidate.

    Args:
        metric: what is judged by.
        y: (n, targets) labels.
        predictions: (members, n, outputs) floats of any width, also memory-mapped; they are never copied as a whole.
        clip: candidates are cut to [0, 1] before they are judged, for weights that may be negative.
    """

    exact = True  # `score` gives the metric's own value to the last bit; if not, it lies within NEAR of it

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        self.metric, self.y, self.clip = metric, y, clip
        self.predictions = np.asarray(predictions)  # a memory map as the plain array it is, not copied
        self.sign = 1 if metric.greater_is_better else -1

    def prepare(self, current: np.ndarray) -> np.ndarray:
        """`current` in the form that `score` wants, made once a round."""
        return current

    @abstractmethod
    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        """The score of one candidate; called from several threads at once."""

    def scores(
        self,
        current: np.ndarray,
        members: Sequence[int],
        keep: float,
        adds: Sequence[float],
        parts: np.ndarray | None = None,
    ) -> np.ndarray:
        """Scores (candidates,) of `keep * current + add * predictions[member]`, one `adds` a candidate.

        Args:
            current: (n, outputs) float64.
            keep: what current is multiplied by; `nan` stands for 1 - add.
            parts: (members,) how much of each member `current` is made of. Scorers that know what members come to
                together (`Squares`) need not look at the rows then.
        """
        return self.asked(current, members, [1 - add if math.isnan(keep) else keep for add in adds], adds)

    def asked(
        self, current: np.ndarray, members: Sequence[int], keeps: Sequence[float], adds: Sequence[float]
    ) -> np.ndarray:
        """The `score` of each candidate, from threads."""
        prepared = self.prepare(current)
        with ThreadPoolExecutor(threads()) as pool:
            return np.array(list(pool.map(self.score, repeat(prepared), members, keeps, adds)))

    def blended(self, current: np.ndarray, member: int, keep: float, add: float) -> np.ndarray:
        """The candidate itself, (n, outputs) float64."""
        blend = keep * current
        blend += np.multiply(self.predictions[member], add, dtype=np.float64)
        return blend.clip(0, 1, out=blend) if self.clip else blend

    def plain(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        """What the metric itself says of one candidate."""
        return self.metric(self.y, self.blended(current, member, keep, add))

    def value(self, score: float) -> float:
        """A score as searches compare it: greater is better, rounded, for noise must not part equal blends."""
        return self.sign * float(f"{score:.12g}")


class Plain(Scorer):
    """Asks the metric for every candidate: for metrics that have no quicker way, and where there is little to judge."""

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        return self.plain(current, member, keep, add)

    def scores(
        self,
        current: np.ndarray,
        members: Sequence[int],
        keep: float,
        adds: Sequence[float],
        parts: np.ndarray | None = None,
    ) -> np.ndarray:
        # one after another: a metric of the user need not bear threads
        pairs = zip(members, adds, strict=True)
        return np.array([self.score(current, m, 1 - a if math.isnan(keep) else keep, a) for m, a in pairs])


def near(a: float, b: float) -> bool:
    """Whether two scores are so close that rounding may make them equal, or the noise of a sum part them."""
    return abs(a - b) <= NEAR * max(abs(a), abs(b)) + 1e-14

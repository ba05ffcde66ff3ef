"""Scorer of any metric with row statistics: they are summed in blocks of rows that fit into the cache."""

import numpy as np

from kit.core.errors import KitError
from kit.ensemble.search.base import Scorer
from kit.metrics import Metric
from kit.metrics.sums import part_stats, scores_of_sums

BLOCK = 1 << 14  # predictions


class Summed(Scorer):
    """Sums the metric's own row statistics of each candidate, in threads and without the metric's checks."""

    exact = False  # the sum is added in another order

    def __init__(self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False) -> None:
        super().__init__(metric, y, predictions, clip)
        self.truth = np.asarray(y, dtype=np.float64).reshape(len(y), -1)

    def score(self, current: np.ndarray, member: int, keep: float, add: float) -> float:
        p, totals, parts = self.predictions[member], [], 1
        step = max(1, BLOCK // p.shape[1])
        for first in range(0, len(p), step):
            rows = slice(first, first + step)
            blend = keep * current[rows]
            blend += np.multiply(p[rows], add, dtype=np.float64)
            if self.clip:
                blend.clip(0, 1, out=blend)
            try:
                stats = part_stats(self.metric.take(rows), self.truth[rows], blend)
            except KitError as error:
                raise KitError(f"{self.metric.name}: {error}") from None
            assert stats is not None
            parts = len(stats)
            totals.append(np.concatenate([part.sum(axis=0, dtype=np.float64) for part in stats]))
        return float(scores_of_sums(self.metric, parts, np.sum(totals, axis=0)[:, None], np.array([len(p)]))[0])

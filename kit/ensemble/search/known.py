"""Missing labels: candidates are scored target by target, each over the rows whose label is known."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.metrics import Metric


class KnownRows(Scorer):
    """Mean over targets of the scores of their own scorers, as the metric does it if labels are missing.

    Args:
        metric: the metric that scores candidates.
        y: (n, targets) labels; NaN if missing.
        predictions: (members, n, targets).
        clip: see `Scorer`.
        parts: for each target its known rows, and a scorer of these rows and this column.
    """

    def __init__(
        self, metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool, parts: list[tuple[np.ndarray, Scorer]]
    ) -> None:
        super().__init__(metric, y, predictions, clip)
        self.parts = parts
        self.exact = all(scorer.exact for _, scorer in parts)
        self.threads = all(scorer.threads for _, scorer in parts)

    def prepare(self, current: np.ndarray) -> Any:
        return [scorer.prepare(current[rows, j : j + 1]) for j, (rows, scorer) in enumerate(self.parts)]

    def score(self, current: Any, member: int, keep: float, add: float) -> float:
        pairs = zip(self.parts, current, strict=True)
        scores = [scorer.score(prepared, member, keep, add) for (_, scorer), prepared in pairs]
        return float(self.metric.mean_of_columns(np.array(scores)))

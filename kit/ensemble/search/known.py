"""Labels with gaps: candidates are scored target by target, each over the rows whose label is known."""

from typing import Any

import numpy as np

from kit.ensemble.search.base import Scorer
from kit.metrics import Metric


class KnownRows(Scorer):
    """The mean over targets of the scores of their own scorers, as the metric has it where labels are missing.

    Args:
        metric: what candidates are scored by.
        y: (n, targets) labels with gaps.
        predictions: (members, n, targets).
        clip: see `Scorer`.
        parts: of each target its known rows, and the scorer of these and its column alone.
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

"""Mean of ranks: for metrics that look at order alone, where members disagree about scale."""

from typing import ClassVar

import numpy as np

from kit.ensemble.base import WeightedBlend
from kit.metrics import Metric
from kit.spec import KitError


class RankMean(WeightedBlend):
    """Every member counts the same, by its ranks: a member with timid probabilities weighs as much as a bold one.

    Ranks say nothing about size, so the result is neither a probability nor a value.
    """

    compact: ClassVar[bool] = True
    ranks = True

    @property
    def folds_needed(self) -> int:
        return 0

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        if metric.needs != "rank":
            wanted = {"probability": "probabilities", "label": "labels", "value": "values"}[metric.needs]
            raise KitError(f"RankMean gives ranks, but {metric.name} needs {wanted}; use Mean or Greedy")
        return np.full(len(predictions), 1 / len(predictions))

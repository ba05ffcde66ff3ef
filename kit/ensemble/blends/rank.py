"""Mean of ranks: for metrics that depend only on the order, if members have different scales."""

from typing import ClassVar

import numpy as np

from kit.core.errors import KitError
from kit.ensemble.blend import WeightedBlend
from kit.metrics import Metric


class RankMean(WeightedBlend):
    """Mean of the members' ranks: a member with probabilities near 0.5 counts as much as a confident one.

    Ranks say nothing about size, so the result is neither a probability nor a value.
    """

    compact: ClassVar[bool] = True
    ranks = True

    @property
    def folds_needed(self) -> int:
        return 0

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        if metric.needs != "rank":
            wanted = "probabilities" if metric.needs == "probability" else f"{metric.needs}s"
            raise KitError(f"RankMean gives ranks, but {metric.name} needs {wanted}; use Mean or Greedy")
        return np.full(len(predictions), 1 / len(predictions))

"""Equal weights: hard to beat where members are few or about equally good."""

import numpy as np

from kit.ensemble.base import WeightedBlend
from kit.metrics import Metric


class Mean(WeightedBlend):
    """Every member counts the same; reads no labels, so it cannot overfit."""

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        return np.full(len(predictions), 1 / len(predictions))

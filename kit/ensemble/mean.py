"""Equal weights: hard to beat where members are few or about equally good."""

from typing import ClassVar

import numpy as np

from kit.ensemble.base import WeightedBlend
from kit.metrics import Metric


class Mean(WeightedBlend):
    """Every member counts the same; reads no labels, so it cannot overfit."""

    compact: ClassVar[bool] = True

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        return np.full(len(predictions), 1 / len(predictions))

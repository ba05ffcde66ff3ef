"""The plain mean: hard to beat if there are few members or they are about equally good."""

from typing import ClassVar

import numpy as np

from kit.ensemble.blend import WeightedBlend
from kit.metrics import Metric


class Mean(WeightedBlend):
    """Mean of the members with equal weights. It reads no labels, so it cannot overfit."""

    compact: ClassVar[bool] = True

    @property
    def folds_needed(self) -> int:
        return 0

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        return np.full(len(predictions), 1 / len(predictions))

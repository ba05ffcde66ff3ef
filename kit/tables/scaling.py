"""Scaling: numbers of unlike size made alike, by quantiles that no single value moves."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

NORMAL_IQR = 1.3489795003921634  # distance between the quartiles of a normal distribution, in standard deviations
FARTHEST = 5.0  # standard deviations; what lies farther, infinities too, is moved there


@dataclass(frozen=True)
class Scaling:
    """Centre and scale of columns of numbers, as scikit-learn's `RobustScaler(unit_variance=True)`.

    A column whose quartiles are equal (most of its values are the same) is scaled by the median distance of the others.

    Attributes:
        center: (k,) medians; 0 of columns without any finite value.
        scale: (k,) distances between the quartiles, as standard deviations of a normal distribution; 1 of constants.
    """

    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, numbers: np.ndarray) -> Self:
        """Takes them from (n, k) numbers; NaN and infinities do not count."""
        center, scale = np.zeros(numbers.shape[1]), np.ones(numbers.shape[1])
        for j, column in enumerate(np.asarray(numbers, np.float64).T):
            known = column[np.isfinite(column)]
            if not len(known):
                continue
            low, center[j], high = np.quantile(known, [0.25, 0.5, 0.75])
            away = np.abs(known - center[j])
            if high > low:
                scale[j] = (high - low) / NORMAL_IQR
            elif away.any():
                scale[j] = np.median(away[away > 0])
        return cls(center, scale)

    def transform(self, numbers: np.ndarray) -> np.ndarray:
        """(n, k) float64 between -5 and 5; missing numbers are 0, the median."""
        with np.errstate(over="ignore"):  # 1e308 less -1e308 is as far as anything can be
            scaled = (np.asarray(numbers, np.float64) - self.center) / self.scale
        return np.nan_to_num(scaled, posinf=FARTHEST, neginf=-FARTHEST).clip(-FARTHEST, FARTHEST)

    def to_dict(self) -> dict[str, Any]:
        """Both arrays as lists."""
        return {"center": self.center.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        return cls(np.array(saved["center"]), np.array(saved["scale"]))

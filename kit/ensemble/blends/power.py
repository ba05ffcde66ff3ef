"""Power means: a family with the harmonic, geometric and arithmetic mean, up to the maximum."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import softmax

from kit.core.errors import KitError
from kit.ensemble.blend import Blend
from kit.ensemble.fitted import FittedBlend
from kit.ensemble.oof import OutOfFold
from kit.ensemble.target import TargetKind, target_kind

CLOSEST = float(np.finfo(np.float32).eps)  # to 0 and 1: a probability of 0 or 1 would outvote all others


class Power(Blend):
    """The power mean of the members with equal weights: mean(p ^ exponent) ^ (1 / exponent).

    Exponent 1 is the plain mean, 0 the geometric mean (the limit), -1 the harmonic mean; a large exponent follows the
    highest of the members' predictions. The results are scaled so that probabilities sum to 1, over yes and no of each
    label or over the classes (Cooke, "Experts in Uncertainty", 1991, chapter 11, calls this normalised). No labels are
    read.
    """

    compact: ClassVar[bool] = True

    exponent: float = Field(3.0, ge=-20, le=20, description="1: the mean; 0: the geometric mean; -1: the harmonic mean")

    @property
    def folds_needed(self) -> int:
        return 0

    def learn(self, oof: OutOfFold) -> "PowerMean":
        return power_mean(oof, type(self).__name__, self.exponent)


def power_mean(oof: OutOfFold, method: str, exponent: float) -> "PowerMean":
    """Checks that these predictions have a power mean, and fits it.

    Raises:
        KitError: probabilities outside 0 to 1, or values below 0, or of 0 where logarithms are taken.
    """
    kind = target_kind(oof)
    for name, p in zip(oof.names, oof.predictions, strict=True):
        low, high = float(p.min()), float(p.max())
        if kind != "values" and (low < 0 or high > 1):
            raise KitError(f"{method} is a mean of probabilities, but member '{name}' gives {low:g} to {high:g}")
        if kind == "values" and (low < 0 or (exponent <= 0 and low == 0)):
            raise KitError(f"{method} is a mean of positive values, but member '{name}' gives {low:g} to {high:g}")
    lowest = 0.0
    if kind == "values" and exponent <= 0:
        lowest = min(float(p.min()) for p in oof.predictions)
    return PowerMean(method, oof.names, kind, exponent, lowest=lowest)


@dataclass(frozen=True)
class PowerMean(FittedBlend):
    """A power mean of members.

    Attributes:
        method: class of the Blend.
        members: names, in the order in which `predict` takes their predictions.
        kind: what is predicted: labels, classes or values.
        exponent: 0 for the geometric mean.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
        lowest: the smallest value of the learnt rows, if 0 has no mean: smaller values of new rows count as this one.
            In all other cases 0: values below 0 count as 0.
    """

    compact: ClassVar[bool] = True
    method: str
    members: tuple[str, ...]
    kind: TargetKind
    exponent: float
    thresholds: tuple[float, ...] = ()
    lowest: float = 0.0

    @property
    def weights(self) -> dict[str, float]:
        return dict.fromkeys(self.members, 1 / len(self.members))

    @property
    def is_mean(self) -> bool:
        return True

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        if self.kind == "values":
            with np.errstate(divide="ignore"):  # the logarithm of a 0, whose power is 0 again
                return np.exp(self._mean(predictions, lambda p: np.log(p.clip(min=self.lowest))))
        yes = self._mean(predictions, lambda p: np.log(p.clip(CLOSEST, 1 - CLOSEST)))
        if self.kind == "classes":
            return np.asarray(softmax(yes, axis=-1))
        no = self._mean(predictions, lambda p: np.log1p(-p.clip(CLOSEST, 1 - CLOSEST)))
        return np.asarray(0.5 * (1 + np.tanh((yes - no) / 2)))  # yes / (yes + no)

    def _mean(self, predictions: np.ndarray, log: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The logarithm of the mean, from what is logarithmic of predictions (members, n, outputs), one by one."""
        plain = abs(self.exponent) < 1e-9
        each = (log(p.astype(np.float64)) * (1 if plain else self.exponent) for p in predictions)
        total = reduce(np.add if plain else np.logaddexp, each)
        return np.asarray(total / len(predictions) if plain else (total - np.log(len(predictions))) / self.exponent)

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "members": list(self.members),
            "predicts": self.kind,
            "exponent": self.exponent,
            "thresholds": list(self.thresholds),
        } | ({"lowest": self.lowest} if self.lowest else {})

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        members, cuts = tuple(saved["members"]), tuple(saved["thresholds"])
        return cls(saved["method"], members, saved["predicts"], saved["exponent"], cuts, saved.get("lowest", 0.0))

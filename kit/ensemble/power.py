"""Power means: between and beyond the arithmetic mean, the geometric one and the greatest of the members."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import softmax

from kit.ensemble.base import Blend, Blended, Judged
from kit.ensemble.stack import kind_of
from kit.spec import KitError

SUREST = float(np.finfo(np.float32).eps)  # a probability of 0 or 1 would outvote all others


class Power(Blend):
    """The power mean of members that all count the same: mean(p ^ exponent) ^ (1 / exponent).

    Exponent 1 is the plain mean, towards 0 it becomes the geometric one, -1 is the harmonic mean; a large exponent
    listens to the member that says most. Probabilities are made to sum to 1 again, over yes and no of each label or
    over the classes (Cooke, "Experts in Uncertainty", 1991, chapter 11, calls it normalised). Reads no labels.
    """

    compact: ClassVar[bool] = True

    exponent: float = Field(3.0, ge=-20, le=20, description="1: the mean; 0: the geometric mean; -1: the harmonic mean")

    @property
    def folds_needed(self) -> int:
        return 0

    def learn(self, judged: Judged) -> Blended:
        return pooled(judged, type(self).__name__, self.exponent)


def pooled(judged: Judged, method: str, exponent: float) -> "Pooled":
    """The power mean, where these predictions have one.

    Raises:
        KitError: probabilities outside 0 to 1, or values below 0, or of 0 where logarithms are taken.
    """
    kind = kind_of(judged)
    for name, said in zip(judged.names, judged.predictions, strict=True):
        low, high = float(said.min()), float(said.max())
        if kind != "values" and (low < 0 or high > 1):
            raise KitError(f"{method} is a mean of probabilities, but member '{name}' gives {low:g} to {high:g}")
        if kind == "values" and (low < 0 or (exponent <= 0 and low == 0)):
            raise KitError(f"{method} is a mean of positive values, but member '{name}' gives {low:g} to {high:g}")
    lowest = 0.0
    if kind == "values" and exponent <= 0:
        lowest = min(float(said.min()) for said in judged.predictions)
    return Pooled(method, judged.names, kind, exponent, lowest=lowest)


@dataclass(frozen=True)
class Pooled(Blended):
    """A power mean of members.

    Attributes:
        method: class of the Blend.
        members: names, in the order in which `apply` takes their predictions.
        kind: what is predicted: labels, classes or values.
        exponent: 0 for the geometric mean.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
        lowest: the smallest of the values that were learnt from, where 0 has no mean: lesser ones of rows not yet seen
            count as this much. 0 elsewhere: what is below 0 counts as 0.
    """

    compact: ClassVar[bool] = True
    method: str
    members: tuple[str, ...]
    kind: str
    exponent: float
    thresholds: tuple[float, ...] = ()
    lowest: float = 0.0

    @property
    def weights(self) -> dict[str, float]:
        return dict.fromkeys(self.members, 1 / len(self.members))

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        if self.kind == "values":
            with np.errstate(divide="ignore"):  # the logarithm of a 0, whose power is 0 again
                return np.exp(self._mean(predictions, lambda p: np.log(p.clip(min=self.lowest))))
        yes = self._mean(predictions, lambda p: np.log(p.clip(SUREST, 1 - SUREST)))
        if self.kind == "classes":
            return np.asarray(softmax(yes, axis=-1))
        no = self._mean(predictions, lambda p: np.log1p(-p.clip(SUREST, 1 - SUREST)))
        return np.asarray(0.5 * (1 + np.tanh((yes - no) / 2)))  # yes / (yes + no)

    def _mean(self, predictions: np.ndarray, log: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The logarithm of the mean, from what is logarithmic of predictions (members, n, outputs), one by one."""
        plain = abs(self.exponent) < 1e-9
        each = (log(p.astype(np.float64)) * (1 if plain else self.exponent) for p in predictions)
        total = reduce(np.add if plain else np.logaddexp, each)
        return np.asarray(total / len(predictions) if plain else (total - np.log(len(predictions))) / self.exponent)

    def facts(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "members": list(self.members),
            "predicts": self.kind,
            "exponent": self.exponent,
            "thresholds": list(self.thresholds),
        } | ({"lowest": self.lowest} if self.lowest else {})

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        members, cuts = tuple(facts["members"]), tuple(facts["thresholds"])
        return cls(facts["method"], members, facts["predicts"], facts["exponent"], cuts, facts.get("lowest", 0.0))

"""The geometric mean: one confident member counts more than in the plain mean."""

from typing import ClassVar

from kit.ensemble.blend import Blend
from kit.ensemble.blends.power import PowerMean, power_mean
from kit.ensemble.oof import OutOfFold


class Geometric(Blend):
    """The geometric mean of the members, with equal weights; it reads no labels.

    The results are scaled so that probabilities sum to 1. For labels this is the geometric mean of the odds; in all
    cases it is the mean of the logits (a logarithmic opinion pool, Genest & Zidek, "Combining probability
    distributions", 1986).
    """

    compact: ClassVar[bool] = True

    @property
    def folds_needed(self) -> int:
        return 0

    def learn(self, oof: OutOfFold) -> PowerMean:
        return power_mean(oof, type(self).__name__, 0.0)

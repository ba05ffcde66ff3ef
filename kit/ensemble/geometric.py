"""The geometric mean: one member that is sure counts more than in the plain mean."""

from typing import ClassVar

from kit.ensemble.base import Blend, Blended, Judged
from kit.ensemble.power import pooled


class Geometric(Blend):
    """The geometric mean of members that all count the same; reads no labels.

    Probabilities are made to sum to 1 again: of labels it is the geometric mean of the odds, either way the mean of
    logits (a logarithmic opinion pool, Genest & Zidek, "Combining probability distributions", 1986).
    """

    compact: ClassVar[bool] = True

    @property
    def folds_needed(self) -> int:
        return 0

    def learn(self, judged: Judged) -> Blended:
        return pooled(judged, type(self).__name__, 0.0)

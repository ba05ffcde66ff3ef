"""Ordinal: for classes that have an order, so that a near miss costs less than a far one."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kit.losses.base import CLASSES, Loss

if TYPE_CHECKING:
    from torch import Tensor


class Ordinal(Loss):
    """Score of the cumulative probabilities P(class ≤ j) of a softmax over ordered classes, the mean over thresholds j.

    "squared" is the ranked probability score (Epstein 1969), known as the squared earth mover's distance (Hou et al.
    2016); "log" is the ranked ignorance score (Tödter and Ahrens 2012), the binary cross-entropy of every question
    "class ≤ j?", whose gradient does not vanish where the model is surely wrong. With two classes "log" is
    CrossEntropy. Both are proper, so predictions are those of any multiclass model: softmax(output) are the
    probabilities of the classes. The expected class then suits squared-error metrics (quadratic kappa), the median
    absolute ones.
    """

    kinds: ClassVar[frozenset[str]] = CLASSES

    score: Literal["log", "squared"] = Field("log", description="what a wrong cumulative probability costs")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        log_p = output.log_softmax(1)
        below = log_p.logcumsumexp(1)[:, :-1]
        share = y.cumsum(1)[:, :-1]
        if self.score == "squared":
            return (below.exp() - share).square().mean(1)
        above = log_p.flip(1).logcumsumexp(1).flip(1)[:, 1:]
        return -(share * below + (1 - share) * above).mean(1)

"""Ordinal: a loss for ordered classes, where a near miss costs less than a far one."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kit.losses.base import CLASSES, Loss

if TYPE_CHECKING:
    from torch import Tensor


class Ordinal(Loss):
    """Loss of the cumulative probabilities P(class ≤ j) of a softmax over ordered classes; the mean over all j.

    "squared" is the ranked probability score (Epstein 1969), also called squared earth mover's distance (Hou et al.
    2016). "log" is the ranked ignorance score (Tödter and Ahrens 2012): the binary cross-entropy of each question
    "class ≤ j?". Its gradient does not vanish where the model is confident and wrong. With two classes "log" equals
    CrossEntropy. Both are proper scoring rules: softmax(output) gives the probabilities of the classes, as usual. For
    a metric of squared errors (quadratic kappa) predict the expected class, for one of absolute errors the median.
    """

    kinds: ClassVar[frozenset[str]] = CLASSES
    gaps: ClassVar[bool] = True  # there are none: a row has one label

    score: Literal["log", "squared"] = Field("log", description="log loss or squared error of P(class ≤ j)")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        log_p = output.log_softmax(1)
        below = log_p.logcumsumexp(1)[:, :-1]
        share = y.cumsum(1)[:, :-1]
        if self.score == "squared":
            return (below.exp() - share).square().mean(1)
        above = log_p.flip(1).logcumsumexp(1).flip(1)[:, 1:]
        return -(share * below + (1 - share) * above).mean(1)

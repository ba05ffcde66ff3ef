"""SoftF1 and SoftAUC: metrics of the whole batch, made differentiable."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.lazy import later
from kit.losses.base import CLASSES, COLUMNS, EPS, Loss, weighted_mean

if TYPE_CHECKING:
    import torch.nn.functional as F
    from torch import Tensor
else:
    F = later("torch.nn.functional")


class SoftF1(Loss):
    """1 − F1 of the batch with probabilities for decisions (Pastor-Pellicer et al. 2013).

    F1 = 2 Σ p y / Σ (p + y) of each column or class, then their mean (macro). One without positives in the batch scores
    0 and has no gradient: batches should be large enough to hold some of each.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS | CLASSES

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        p = output.softmax(1) if multiclass else output.sigmoid()
        weight = weight[:, None]
        f1 = 2 * (weight * p * y).sum(0) / (weight * (p + y)).sum(0).clamp_min(EPS)
        return (1 - f1.mean()).expand(len(output))


class SoftAUC(Loss):
    """A smooth 1 − AUC of the batch: the logistic loss of each pair of a positive and a negative.

    log(1 + exp(margin − (s⁺ − s⁻))) for logits s (RankNet, Burges et al. 2005) is consistent with AUC (Gao and Zhou
    2015). The mean is over the pairs of a column, each weighing the product of its rows' weights, then over the columns
    that have both classes; it is 0 where none has. It takes memory for n² · k numbers. Only differences of scores are
    learnt: they rank, and are no probabilities.
    """

    soft: ClassVar[bool] = False  # a mixed row is neither a positive nor a negative to be ranked

    margin: float = Field(0.0, ge=0, description="by how much the logit of a positive is to exceed a negative's")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        positive, negative = weight[:, None] * y, weight[:, None] * (1 - y)
        pair = positive[:, None] * negative[None]  # (n, n, k), as the losses below
        losses = F.softplus(self.margin - (output[:, None] - output[None]))
        columns = weighted_mean(losses, pair, (0, 1))
        both = (pair.sum((0, 1)) > 0).float()
        return weighted_mean(columns, both).expand(len(output))

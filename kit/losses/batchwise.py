"""SoftF1 and SoftAUC: differentiable versions of metrics, computed over the whole batch."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.core.lazy import later
from kit.losses.base import CLASSES, COLUMNS, EPS, Loss, known_labels, share_known, weighted_mean

if TYPE_CHECKING:
    import torch.nn.functional as F
    from torch import Tensor
else:
    F = later("torch.nn.functional")


class SoftF1(Loss):
    """1 − F1 of the batch, with probabilities in place of 0/1 decisions (Pastor-Pellicer et al. 2013).

    F1 = 2 Σ p y / Σ (p + y) for each column or class, then the mean over them (macro). A column without positives in
    the batch has F1 = 0 and gives no gradient, so batches should be large enough to hold positives of every column.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS | CLASSES
    gaps: ClassVar[bool] = True

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        p = output.softmax(1) if multiclass else output.sigmoid()
        y, known = known_labels(y, multiclass)
        weight = weight[:, None] * known
        f1 = 2 * (weight * p * y).sum(0) / (weight * (p + y)).sum(0).clamp_min(EPS)
        return (1 - f1.mean()) * share_known(known)


class SoftAUC(Loss):
    """A smooth 1 − AUC of the batch: the logistic loss over all pairs of a positive and a negative row.

    The loss of a pair is log(1 + exp(margin − (s⁺ − s⁻))) for logits s (RankNet, Burges et al. 2005); minimising it
    maximises AUC (Gao and Zhou 2015). The weight of a pair is the product of its rows' weights. The result is the mean
    over the pairs of a column, then over the columns that have both classes (0 if no column has). Memory: n² · k
    numbers. The model learns an order only: its outputs are not probabilities.
    """

    gaps: ClassVar[bool] = True

    margin: float = Field(0.0, ge=0, description="by how much the logit of a positive should exceed a negative's")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        y, known = known_labels(y, multiclass)
        positive, negative = weight[:, None] * known * y, weight[:, None] * known * (1 - y)
        pair = positive[:, None] * negative[None]  # weights of the pairs (n, n, k)
        losses = F.softplus(self.margin - (output[:, None] - output[None]))
        columns = weighted_mean(losses, pair, (0, 1))
        both = (pair.sum((0, 1)) > 0).float()
        return weighted_mean(columns, both) * share_known(known)

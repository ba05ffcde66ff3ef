"""BiTempered: a cross-entropy that is bounded and has heavy tails, for labels that are sometimes wrong."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.lazy import later
from kit.losses.base import CLASSES, COLUMNS, EPS, Loss, as_classes

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = later("torch")

STEPS = 6  # of Newton: fp32's limit for any t of BiTempered, logits to ±80 and a thousand classes


class BiTempered(Loss):
    """Bi-tempered logistic loss (Amid et al. 2019): tempered softmax of t2, Bregman divergence of t1.

    With t1 = t2 = 1 it is cross-entropy (less the entropy of soft labels). For binary and multilabel tasks a column is
    two classes, yes and no, and the mean over the columns is taken. The answers that it trains for are
    `log_tempered_softmax(logits, t2).exp()`; softmax or sigmoid puts the same class first, with other probabilities.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS | CLASSES

    t1: float = Field(0.8, ge=0, le=1, description="below 1 a row's loss is bounded: far outliers count less")
    t2: float = Field(1.2, ge=1, le=4, description="above 1 tails are heavy: wrong labels near the boundary count less")
    smoothing: float = Field(0.0, ge=0, lt=1, description="share of each label that is spread over the classes")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        logits, shares = as_classes(output, y, multiclass)
        shares = shares * (1 - self.smoothing) + self.smoothing / shares.shape[-1]
        log_p = log_tempered_softmax(logits, self.t2)
        log_y = shares.clamp_min(EPS).log()
        fit = shares * (_log_t(log_y, self.t1) - _log_t(log_p, self.t1))
        rest = (shares ** (2 - self.t1) - torch.exp((2 - self.t1) * log_p)) / (2 - self.t1)
        return (fit - rest).sum(-1).mean(1)


def log_tempered_softmax(logits: "Tensor", t: float) -> "Tensor":
    """Log of p = exp_t(logits − λ) over the last dimension, λ such that Σ p = 1 (Amid et al. 2019).

    exp_t(x) = (1 + (1 − t) x)^(1 / (1 − t)), t ≥ 1; the softmax for t = 1. λ comes from Newton's method on
    (Σ p)^(1 − t) = 1, which is concave in λ: from λ = max(logits) it rises to the root without passing it.
    """
    if t == 1:
        return logits.log_softmax(-1)
    logits = logits - logits.detach().amax(-1, keepdim=True)  # p does not change, and λ is then small
    shift = torch.zeros_like(logits[..., :1])
    with torch.no_grad():
        for _ in range(STEPS - 1):
            shift = _newton(logits, shift, t)
    # The last step carries the gradient: at the root its derivative is that of the root itself, dλ/da ∝ p^t.
    return _log_exp_t(logits - _newton(logits, shift, t), t)


def _newton(logits: "Tensor", shift: "Tensor", t: float) -> "Tensor":
    """The next λ."""
    log_p = _log_exp_t(logits - shift, t)
    total = log_p.exp().sum(-1, keepdim=True)
    slope = (t * log_p).exp().sum(-1, keepdim=True)
    return shift + total / slope * torch.expm1((t - 1) * total.log()) / (t - 1)


def _log_t(log_x: "Tensor", t: float) -> "Tensor":
    """log_t(x) = (x^(1 − t) − 1) / (1 − t), from log x."""
    return log_x if t == 1 else torch.expm1((1 - t) * log_x) / (1 - t)


def _log_exp_t(x: "Tensor", t: float) -> "Tensor":
    """Log of exp_t(x)."""
    return -torch.log1p((1 - t) * x) / (t - 1)

"""BiTempered: a bounded, heavy-tailed version of cross-entropy for noisy labels."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.core.lazy import later
from kit.losses.base import CLASSES, COLUMNS, EPS, Loss, as_classes, known_labels, row_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = later("torch")

STEPS = 6  # Newton steps: enough for fp32 precision with any t of BiTempered, logits up to ±80 and 1,000 classes


class BiTempered(Loss):
    """Bi-tempered logistic loss (Amid et al. 2019): tempered softmax with temperature t2, Bregman divergence with t1.

    With t1 = t2 = 1 it is cross-entropy (minus the entropy of soft labels). For binary and multilabel tasks each column
    has two classes, yes and no, and the loss is the mean over the columns. The probabilities of a model trained with
    it are `log_tempered_softmax(logits, t2).exp()`. A plain softmax or sigmoid ranks the classes in the same order,
    but gives other probabilities.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS | CLASSES
    gaps: ClassVar[bool] = True

    t1: float = Field(0.8, ge=0, le=1, description="below 1 the loss of a row is bounded: far outliers count less")
    t2: float = Field(1.2, ge=1, le=4, description="above 1 tails are heavy: wrong labels near the boundary count less")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing: share of each label spread over classes")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        y, known = known_labels(y, multiclass)
        logits, shares = as_classes(output, y, multiclass)
        shares = shares * (1 - self.smoothing) + self.smoothing / shares.shape[-1]
        log_p = log_tempered_softmax(logits, self.t2)
        log_y = shares.clamp_min(EPS).log()
        fit = shares * (_log_t(log_y, self.t1) - _log_t(log_p, self.t1))
        rest = (shares ** (2 - self.t1) - torch.exp((2 - self.t1) * log_p)) / (2 - self.t1)
        return row_mean((fit - rest).sum(-1), known)


def log_tempered_softmax(logits: "Tensor", t: float) -> "Tensor":
    """Log of the tempered softmax p = exp_t(logits − λ) over the last dimension (Amid et al. 2019).

    exp_t(x) = (1 + (1 − t) x)^(1 / (1 − t)) with t ≥ 1; t = 1 is the usual softmax. λ is chosen so that Σ p = 1, by
    Newton's method on (Σ p)^(1 − t) = 1. That equation is concave in λ, so Newton's method, started at max(logits),
    rises to the root without overshooting.

    Args:
        logits: (…, classes).
        t: temperature, at least 1.

    Returns:
        (…, classes).
    """
    if t == 1:
        return logits.log_softmax(-1)
    logits = logits - logits.detach().amax(-1, keepdim=True)  # does not change p, and keeps λ small
    shift = torch.zeros_like(logits[..., :1])
    with torch.no_grad():
        for _ in range(STEPS - 1):
            shift = _newton(logits, shift, t)
    # Only the last step carries a gradient. At the root it equals the derivative of the root itself, dλ/da ∝ p^t.
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

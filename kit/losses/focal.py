"""Focal and Asymmetric: cross-entropies that turn away from what is easy."""

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from kit.lazy import later
from kit.losses.base import CLASSES, COLUMNS, EPS, Loss, as_classes, per_column
from kit.spec import KitError, validator

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
else:
    torch, F = later("torch"), later("torch.nn.functional")


class Focal(Loss):
    """Focal loss, −α_t (1 − p_t)^γ log p_t with p_t the probability of the true answer (Lin et al. 2017).

    For binary and multilabel tasks it is the mean over the columns, positives weighing α and negatives 1 − α; for
    multiclass α is a weight of each class. A soft label is the mean over the hard ones that it stands for.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS | CLASSES

    gamma: float = Field(2.0, ge=0, description="how fast an answer's weight falls as it gets right")
    alpha: float | tuple[float, ...] | None = Field(
        None, description="weight of positives, one for all columns or one a column; for multiclass one a class"
    )

    @validator(mode="after")
    def _alpha_is_a_share(self) -> Self:
        given = self.alpha if isinstance(self.alpha, tuple) else () if self.alpha is None else (self.alpha,)
        if not all(0 <= a <= 1 for a in given):
            raise ValueError(f"alpha = {self.alpha} is not between 0 and 1")
        return self

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        logits, shares = as_classes(output, y, multiclass)
        log_p = logits.log_softmax(-1)
        # probabilities are kept off 0, where powers below 1 have no finite slope
        losses = -((-log_p.expm1()).clamp_min(EPS) ** self.gamma) * log_p
        if isinstance(self.alpha, float) and multiclass:
            raise KitError(f"Focal.alpha = {self.alpha} is one number; a multiclass task wants one for each class")
        each = (self.alpha,) * output.shape[1] if isinstance(self.alpha, float) else self.alpha
        alpha = per_column("Focal.alpha", each, output)
        if alpha is not None:
            losses = losses * (alpha if multiclass else torch.stack([alpha, 1 - alpha], -1))
        return (shares * losses).sum(-1).mean(1)


class Asymmetric(Loss):
    """Asymmetric loss (Ridnik et al. 2021): Focal with another γ for positives and negatives, easy negatives cut off.

    −(1 − p)^γ₊ log p for a positive, −p_m^γ₋ log(1 − p_m) with p_m = max(p − clip, 0) for a negative; the mean over
    the columns of a row. The gradient passes through the powers, as in the paper.
    """

    gamma_positive: float = Field(0.0, ge=0, description="focusing of positives")
    gamma_negative: float = Field(4.0, ge=0, description="focusing of negatives")
    clip: float = Field(0.05, ge=0, lt=1, description="negatives below this probability cost nothing")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        p, q = output.sigmoid(), (-output).sigmoid()
        log_q = (q + self.clip).clamp_max(1).log() if self.clip else F.logsigmoid(-output)  # q alone may be 0 in fp32
        positive = -(q.clamp_min(EPS) ** self.gamma_positive) * F.logsigmoid(output)
        negative = -((p - self.clip).clamp_min(EPS) ** self.gamma_negative) * log_q
        return (y * positive + (1 - y) * negative).mean(1)

"""Focal and Asymmetric: cross-entropies that give easy rows less weight."""

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from kit.core.errors import KitError
from kit.core.lazy import later
from kit.core.spec import validator
from kit.losses.base import CLASSES, COLUMNS, EPS, Loss, as_classes, known_labels, per_column, row_mean

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
else:
    torch, F = later("torch"), later("torch.nn.functional")


class Focal(Loss):
    """Focal loss, −α_t (1 − p_t)^γ log p_t, with p_t the probability of the true class (Lin et al. 2017).

    Binary and multilabel tasks: positives have weight α, negatives 1 − α, and the loss is the mean over the columns.
    Multiclass: α is one weight for each class. The loss of a soft label is the mean of the losses of 0 and 1 (of each
    class), weighted by the label.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS | CLASSES
    gaps: ClassVar[bool] = True

    gamma: float = Field(2.0, ge=0, description="focusing: the higher, the less well-classified rows count")
    alpha: float | tuple[float, ...] | None = Field(
        None, description="weight of positives, one for all columns or one per column; for multiclass one per class"
    )

    @validator(mode="after")
    def _alpha_is_a_share(self) -> Self:
        given = self.alpha if isinstance(self.alpha, tuple) else () if self.alpha is None else (self.alpha,)
        if not all(0 <= a <= 1 for a in given):
            raise ValueError(f"alpha = {self.alpha} is not between 0 and 1")
        return self

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        y, known = known_labels(y, multiclass)
        logits, shares = as_classes(output, y, multiclass)
        log_p = logits.log_softmax(-1)
        # 1 − p is kept above 0: a power below 1 has an infinite gradient at 0
        losses = -((-log_p.expm1()).clamp_min(EPS) ** self.gamma) * log_p
        if isinstance(self.alpha, float) and multiclass:
            raise KitError(f"Focal.alpha = {self.alpha} is one number; a multiclass task needs one for each class")
        each = (self.alpha,) * output.shape[1] if isinstance(self.alpha, float) else self.alpha
        alpha = per_column("Focal.alpha", each, output)
        if alpha is not None:
            losses = losses * (alpha if multiclass else torch.stack([alpha, 1 - alpha], -1))
        return row_mean((shares * losses).sum(-1), known)


class Asymmetric(Loss):
    """Asymmetric loss (Ridnik et al. 2021): focal loss with different γ for positives and negatives.

    A positive costs −(1 − p)^γ₊ log p, a negative −p_m^γ₋ log(1 − p_m) with p_m = max(p − clip, 0), so very easy
    negatives cost nothing. The loss of a row is the mean over its columns. The gradient passes through the powers, as
    in the paper.
    """

    gaps: ClassVar[bool] = True

    gamma_positive: float = Field(0.0, ge=0, description="focusing γ of positives")
    gamma_negative: float = Field(4.0, ge=0, description="focusing γ of negatives")
    clip: float = Field(0.05, ge=0, lt=1, description="negatives with a probability below this cost nothing")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        y, known = known_labels(y, multiclass)
        p, q = output.sigmoid(), (-output).sigmoid()
        # without clip, q may round to 0 in fp32, so its log is computed from the logit
        log_q = (q + self.clip).clamp_max(1).log() if self.clip else F.logsigmoid(-output)
        positive = -(q.clamp_min(EPS) ** self.gamma_positive) * F.logsigmoid(output)
        negative = -((p - self.clip).clamp_min(EPS) ** self.gamma_negative) * log_q
        return row_mean(y * positive + (1 - y) * negative, known)

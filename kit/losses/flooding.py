"""Flooding: keeps the training loss from falling below a level."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.losses.base import EPS, Loss, known_labels, share_known, weighted_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor


class Flooding(Loss):
    """|mean − level| + level, where mean is the mean of another loss over the batch (Ishida et al. 2020).

    While the mean is below the level, training raises it again (gradient ascent). The mean is weighted by the rows'
    weights and taken over one forward pass; with accumulated gradients that is a part of the batch. Perturbations raise
    the inner loss, also below the level. Of mixed rows, mean is that of their mixed losses.
    """

    version = 2

    loss: Loss = Field(description="the loss whose mean is kept near the level")
    level: float = Field(0.05, ge=0, description="flood level: below this mean loss the gradient changes its sign")

    @property
    def kinds(self) -> frozenset[str]:  # type: ignore[override]
        return self.loss.kinds

    @property
    def gaps(self) -> bool:  # type: ignore[override]
        return self.loss.gaps

    @property
    def unflooded(self) -> Loss:
        return self.loss.unflooded or self.loss

    def scaled(self, scale: "Sequence[float]") -> "Flooding":
        return Flooding(loss=self.loss.scaled(scale), level=self.level)

    def rows(self, kind: str) -> "Callable[..., Tensor]":
        self.loss.rows(kind)  # if the kind is wrong, the message names the inner loss
        return super().rows(kind)

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        losses = self.loss.per_row(output, y, weight, multiclass)
        known = share_known(known_labels(y, multiclass)[1])  # the mean is over labels that there are
        mean = weighted_mean(losses, weight) / weighted_mean(known, weight).clamp_min(EPS)
        return self._flooded(losses, mean, known)

    def mixed(
        self,
        output: "Tensor",
        labels: "Sequence[Tensor]",
        weights: "Sequence[Tensor | None]",
        share: float,
        kind: str | None = None,
    ) -> "Tensor":
        losses = self.loss.mixed(output, labels, weights, share, kind)
        known = [share_known(known_labels(y, False)[1]) for y in labels]
        pairs = zip(known, weights, strict=True)
        own, other = (part if weight is None else part * weight.float() for part, weight in pairs)
        weight = share * own + (1 - share) * other
        total = weight.sum()
        return self._flooded(losses, losses.sum() / (total + (total == 0)), weight)

    def _flooded(self, losses: "Tensor", mean: "Tensor", weight: "Tensor | float" = 1.0) -> "Tensor":
        """Losses (n,), already times `weight`, turned round where their mean is below the level."""
        return (mean - self.level).sign() * (losses - self.level * weight) + self.level * weight

"""Flooding: keeps the training loss from falling to zero."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.losses.base import Loss, weighted_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Flooding(Loss):
    """|mean − level| + level of another loss's mean over the batch (Ishida et al. 2020): below the level it climbs.

    The mean is the weighted one of the rows passed together: with accumulated gradients, those of one forward pass.
    """

    loss: Loss = Field(description="the loss that is flooded")
    level: float = Field(0.05, ge=0, description="mean loss below which the gradient is turned round")

    @property
    def kinds(self) -> frozenset[str]:  # type: ignore[override]
        return self.loss.kinds

    @property
    def soft(self) -> bool:  # type: ignore[override]
        return self.loss.soft

    def rows(self, kind: str) -> "Callable[..., Tensor]":
        self.loss.rows(kind)  # it refuses in its own name
        return super().rows(kind)

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        losses = self.loss.per_row(output, y, weight, multiclass)
        side = (weighted_mean(losses, weight) - self.level).sign()
        return side * (losses - self.level) + self.level

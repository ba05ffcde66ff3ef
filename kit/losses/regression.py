"""Squared, Huber and Quantile: errors of values, the mean over the columns of a row."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.lazy import later
from kit.losses.base import VALUES, Loss

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
else:
    torch, F = later("torch"), later("torch.nn.functional")


class Squared(Loss):
    """Squared error; its best constant is the mean."""

    kinds: ClassVar[frozenset[str]] = VALUES

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        return (output - y).square().mean(1)


class Huber(Loss):
    """Half the squared error up to delta, beyond it a straight line of slope delta (Huber 1964)."""

    kinds: ClassVar[frozenset[str]] = VALUES

    delta: float = Field(1.0, gt=0, description="error from which on the loss is linear, in units of the target")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        return F.huber_loss(output, y, reduction="none", delta=self.delta).mean(1)


class Quantile(Loss):
    """Pinball loss, q · error below the target and (1 − q) · error above; its best constant is the quantile q
    (Koenker and Bassett 1978).
    """

    kinds: ClassVar[frozenset[str]] = VALUES

    q: float = Field(0.5, gt=0, lt=1, description="the quantile that is wanted; 0.5 is the median")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        missing = y - output
        return torch.maximum(self.q * missing, (self.q - 1) * missing).mean(1)

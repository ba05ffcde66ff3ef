"""Squared, Huber and Quantile: losses of regression; the loss of a row is the mean over its columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat

from kit.core.errors import KitError
from kit.core.lazy import later
from kit.losses.base import VALUES, Loss, known_labels, per_column, row_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = later("torch")


class Squared(Loss):
    """Squared error. The best constant prediction is the mean."""

    kinds: ClassVar[frozenset[str]] = VALUES
    gaps: ClassVar[bool] = True

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        y, known = known_labels(y, multiclass)
        return row_mean((output - y).square(), known)


class Huber(Loss):
    """Half the squared error up to delta, beyond it a straight line of slope delta (Huber 1964)."""

    kinds: ClassVar[frozenset[str]] = VALUES
    gaps: ClassVar[bool] = True

    version = 2

    delta: PositiveFloat | tuple[PositiveFloat, ...] = Field(
        1.0, description="error from which on the loss is linear, in units of the target; one number, or one a column"
    )

    def scaled(self, scale: Sequence[float]) -> "Huber":
        deltas = self.delta if isinstance(self.delta, tuple) else (self.delta,) * len(scale)
        if len(deltas) != len(scale):
            raise KitError(f"Huber.delta has {len(deltas)} numbers, but the task has {len(scale)} targets")
        return Huber(delta=tuple(delta / one for delta, one in zip(deltas, scale, strict=True)))

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        deltas = self.delta if isinstance(self.delta, tuple) else (self.delta,) * output.shape[1]
        delta = per_column("Huber.delta", deltas, output)
        assert delta is not None
        y, known = known_labels(y, multiclass)
        error = (output - y).abs()
        return row_mean(torch.where(error <= delta, error.square() / 2, delta * (error - delta / 2)), known)


class Quantile(Loss):
    """Pinball loss (Koenker and Bassett 1978). The best constant prediction is the quantile q.

    A prediction below the target costs q · |error|, one above it (1 − q) · |error|.
    """

    kinds: ClassVar[frozenset[str]] = VALUES
    gaps: ClassVar[bool] = True

    q: float = Field(0.5, gt=0, lt=1, description="the quantile to predict; 0.5 is the median")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        y, known = known_labels(y, multiclass)
        short = y - output
        return row_mean(torch.maximum(self.q * short, (self.q - 1) * short), known)

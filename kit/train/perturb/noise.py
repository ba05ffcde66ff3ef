"""Noise at the point in training, drawn anew in each pass."""

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.lazy import later
from kit.spec import Spec
from kit.train.perturb.ball import real, size

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kit.train.perturb.point import Point
else:
    torch = later("torch")


class Noise(Spec):
    """Settings of a noise; `noise(value, mask)` adds it to (n, …), but not to padding."""

    needs_point: ClassVar[bool] = True

    def __call__(self, value: "Tensor", mask: "Tensor | None" = None) -> "Tensor":
        return value + real(self._draw(value, mask), mask)

    def at(self, point: "Point") -> contextlib.AbstractContextManager[None]:
        """Context whose forward passes in training mode are noisy at the point."""
        return point.applied(lambda value: self(value, point.mask), training_only=True)

    @abstractmethod
    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor": ...


class NEFTune(Noise):
    """Noisy embeddings (Jain et al. 2024): uniform in ±alpha / √(L · d), for L real tokens of d numbers in a row."""

    alpha: float = Field(5.0, gt=0, description="bound of the noise's L2 length")

    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor":
        return torch.empty_like(value).uniform_(-1, 1) * self.alpha / size(value, mask).sqrt()


class GaussianNoise(Noise):
    """Normal noise (Bishop 1995)."""

    std: float = Field(0.1, gt=0, description="standard deviation")

    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor":
        return torch.randn_like(value) * self.std


class UniformNoise(Noise):
    """Uniform noise in ±width."""

    width: float = Field(0.1, gt=0, description="largest size of the noise")

    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor":
        return torch.empty_like(value).uniform_(-self.width, self.width)

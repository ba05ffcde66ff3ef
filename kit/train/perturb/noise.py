"""Noise on embeddings or inputs during training, drawn again in each pass."""

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.core.lazy import later
from kit.core.spec import Spec
from kit.train.perturb.ball import real, size

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kit.train.perturb.hook_point import HookPoint
else:
    torch = later("torch")


class Noise(Spec):
    """Base class of the settings of a noise. `noise(value, mask)` adds it to `value` (n, …), but not to padding."""

    needs_point: ClassVar[bool] = True

    def __call__(self, value: "Tensor", mask: "Tensor | None" = None) -> "Tensor":
        return value + real(self._draw(value, mask), mask)

    def at(self, point: "HookPoint") -> contextlib.AbstractContextManager[None]:
        """Context in which forward passes in training mode get noise at the hook point."""
        return point.applied(lambda value: self(value, point.mask), training_only=True)

    @abstractmethod
    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor": ...


class NEFTune(Noise):
    """NEFTune (Jain et al. 2024): uniform noise in ±alpha / √(L · d) for a row of L real tokens of width d."""

    alpha: float = Field(5.0, gt=0, description="upper bound of the L2 norm of a row's noise")

    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor":
        return torch.empty_like(value).uniform_(-1, 1) * self.alpha / size(value, mask).sqrt()


class GaussianNoise(Noise):
    """Gaussian noise (Bishop 1995)."""

    std: float = Field(0.1, gt=0, description="standard deviation")

    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor":
        return torch.randn_like(value) * self.std


class UniformNoise(Noise):
    """Uniform noise in ±width."""

    width: float = Field(0.1, gt=0, description="largest absolute value of the noise")

    def _draw(self, value: "Tensor", mask: "Tensor | None") -> "Tensor":
        return torch.empty_like(value).uniform_(-self.width, self.width)

"""PGD: adversarial training with several gradient steps, each projected back into a ball."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.core.lazy import later
from kit.train.perturb.ball import Norm, anywhere, project, steepest
from kit.train.perturb.base import Perturb, Replay

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint
else:
    torch = later("torch")


class PGD(Perturb):
    """Adversarial training with projected gradient descent (Madry et al. 2018).

    Each row takes `steps` steps of steepest ascent; after each step its shift is projected back into the ball of radius
    eps. The loss of the shifted rows is added to the plain one. `steps` + 1 more passes per batch; `steps` without a
    random start, because the plain pass already gave the first gradient.
    """

    eps: float = Field(1.0, gt=0, description="radius of the ball: largest size of a row's shift")
    step: float = Field(0.3, gt=0, description="size of a step")
    steps: int = Field(3, ge=1, description="steps of gradient ascent")
    norm: Norm = Field("l2", description="size of a shift: its L2 norm (l2) or its largest number (linf)")
    random_start: bool = Field(True, description="begin at a random point of the ball, not at the input itself")

    def _add(self, model: "nn.Module", point: "HookPoint", replay: Replay) -> "Tensor":
        if self.random_start:
            delta = anywhere(point.value, self.eps, self.norm, point.mask)
        else:
            gradient = replay.gradient(point)
            delta = self._ascend(torch.zeros_like(gradient), gradient)
        for _ in range(self.steps - (not self.random_start)):
            delta = self._ascend(delta, point.gradient_of(replay.ascent, delta))
        with point.shifted(delta):
            return replay.backward()

    def _ascend(self, delta: "Tensor", gradient: "Tensor") -> "Tensor":
        return project(delta + self.step * steepest(gradient, self.norm), self.eps, self.norm)

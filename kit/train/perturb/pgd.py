"""PGD: several steps along the gradient, each back into the ball."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.train.perturb.ball import Norm, anywhere, project, steepest
from kit.train.perturb.base import Again, Perturb

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kit.train.perturb.point import Point


class PGD(Perturb):
    """Adversarial training with projected gradient descent (Madry et al. 2018); the loss there is added to the plain.

    Each row takes `steps` steps of steepest ascent and is projected back into its eps ball after each. `steps` + 1 more
    passes a batch, one less where it starts at the input, whose gradient the plain pass gave.
    """

    eps: float = Field(1.0, gt=0, description="radius of a row's ball")
    step: float = Field(0.3, gt=0, description="length of a step")
    steps: int = Field(3, ge=1, description="steps of ascent")
    norm: Norm = Field("l2", description="length of a row's shift (l2), or its largest number (linf)")
    random_start: bool = Field(True, description="begin at a random place of the ball, not at the input itself")

    def _add(self, model: "nn.Module", point: "Point", again: Again) -> "Tensor":
        if self.random_start:
            delta = anywhere(point.value, self.eps, self.norm, point.mask)
        else:
            delta = self._ascend(0 * point.grad, point.grad)
        for _ in range(self.steps - (not self.random_start)):
            delta = self._ascend(delta, point.gradient_of(again.loss, delta))
        with point.shifted(delta):
            return again.backward()

    def _ascend(self, delta: "Tensor", gradient: "Tensor") -> "Tensor":
        return project(delta + self.step * steepest(gradient, self.norm), self.eps, self.norm)

"""FGSM: adversarial training with one step along the sign of the gradient."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.train.perturb.ball import anywhere, project
from kit.train.perturb.base import Perturb, Replay

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint

ALPHA = 1.25  # step size after a random start, in units of eps (Wong, Rice & Kolter 2020)


class FGSM(Perturb):
    """Adversarial training with the fast gradient sign method (Goodfellow, Shlens & Szegedy 2015).

    Shifts every number by ±eps, by the sign of its gradient in the plain pass, and adds the loss of the shifted rows to
    the plain one. One more pass per batch. With a random start it is "fast" FGSM (Wong, Rice & Kolter 2020): a step of
    1.25 eps from a random point of the cube [−eps, eps], clipped to the cube. That needs two more passes.
    """

    eps: float = Field(0.01, gt=0, description="largest shift of a number")
    random_start: bool = Field(False, description="begin at a random point, not at the input itself")

    def _add(self, model: "nn.Module", point: "HookPoint", replay: Replay) -> "Tensor":
        if self.random_start:
            delta = anywhere(point.value, self.eps, "linf", point.mask)
            step = ALPHA * self.eps * point.gradient_of(replay.ascent, delta).sign()
            delta = project(delta + step, self.eps, "linf")
        else:
            delta = self.eps * replay.gradient(point).sign()
        with point.shifted(delta):
            return replay.backward()

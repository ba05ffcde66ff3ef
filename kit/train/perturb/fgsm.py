"""FGSM: one step along the signs of the gradient."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.train.perturb.ball import anywhere, project
from kit.train.perturb.base import Again, Perturb

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kit.train.perturb.point import Point

ALPHA = 1.25  # step over eps after a random start, by Wong, Rice & Kolter


class FGSM(Perturb):
    """Adversarial training with the fast gradient sign method (Goodfellow, Shlens & Szegedy 2015).

    Every number is shifted by ±eps along its gradient in the plain pass; the loss there is added to the plain one.
    One more pass a batch. With a random start it is "fast" FGSM (Wong, Rice & Kolter 2020): a step of 1.25 eps from a
    uniformly drawn place of the eps cube, clipped to the cube; two more passes.
    """

    eps: float = Field(0.01, gt=0, description="largest shift of a number")
    random_start: bool = Field(False, description="step from a random place, not from the input itself")

    def _add(self, model: "nn.Module", point: "Point", again: Again) -> "Tensor":
        if self.random_start:
            delta = anywhere(point.value, self.eps, "linf", point.mask)
            step = ALPHA * self.eps * point.gradient_of(again.loss, delta).sign()
            delta = project(delta + step, self.eps, "linf")
        else:
            delta = self.eps * point.grad.sign()
        with point.shifted(delta):
            return again.backward()

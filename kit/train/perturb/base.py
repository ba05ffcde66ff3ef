"""Perturb: a second gradient at a shifted place, so that the model is right in a neighbourhood of each row."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from kit.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kit.train.perturb.point import Point


class Perturb(Spec):
    """Settings of a perturbation of inputs or weights."""

    start: float = Field(0.0, ge=0, description="epochs trained before it begins")

    @abstractmethod
    def add(self, model: "nn.Module", point: "Point", backward: Callable[[], "Tensor"]) -> "Tensor":
        """Adds the gradients of the perturbed loss to those of the parameters, and leaves all else as it was.

        Args:
            model: its parameters hold the plain gradients of this batch (and of earlier batches of the step).
            point: where inputs are shifted; `point.value` and `point.value.grad` are from the plain pass.
            backward: runs the objective on the same batch again, back-propagates, and gives the loss, detached.

        Returns:
            The perturbed loss, detached.
        """

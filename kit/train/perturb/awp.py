"""AWP: the weights are shifted, not the inputs."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.lazy import later
from kit.train.perturb.base import Again, Perturb

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from kit.train.perturb.point import Point
else:
    torch = later("torch")


class AWP(Perturb):
    """Adversarial weight perturbation (Wu, Xia & Wang 2020): one more pass a batch.

    Every matrix w (not biases and norms) is shifted by eps · ‖w‖ · g / ‖g‖, g the gradient that it holds (of this and
    earlier batches of the step), the loss there is added to the plain one, and w is put back, bit for bit.
    """

    needs_point: ClassVar[bool] = False

    eps: float = Field(0.005, gt=0, description="length of a matrix's shift over its own length")

    def _add(self, model: "nn.Module", point: "Point | None", again: Again) -> "Tensor":
        matrices = [(p, p.detach().clone(), p.grad) for p in model.parameters() if p.ndim > 1 and p.grad is not None]
        try:
            with torch.no_grad():
                for p, weight, gradient in matrices:
                    p.add_(gradient * (self.eps * weight.norm() / gradient.norm().clamp_min(torch.finfo(p.dtype).tiny)))
            return again.backward()
        finally:
            with torch.no_grad():
                for p, weight, _ in matrices:
                    p.copy_(weight)

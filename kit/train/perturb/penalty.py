"""A penalty on the gradient itself: the loss shall hardly change where the inputs hardly do."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.lazy import later
from kit.train.perturb.base import Again, Perturb

if TYPE_CHECKING:
    import torch
    import torch.nn.attention as attention
    from torch import Tensor, nn

    from kit.train.perturb.point import Point
else:
    torch, attention = later("torch"), later("torch.nn.attention")


class GradientPenalty(Perturb):
    """Double backpropagation (Drucker & LeCun 1992; Ross & Doshi-Velez 2018): adds weight · Σ ‖∂ loss / ∂ x‖² of rows.

    x is a row at the point and loss its own, not divided. One more pass a batch, differentiated twice; of attention
    only torch's mathematical kernel allows that and is used. torch refuses recurrent layers of cuDNN.
    """

    weight: float = Field(0.1, gt=0, description="factor of the squared length of a row's gradient")

    def _add(self, model: "nn.Module", point: "Point", again: Again) -> "Tensor":
        with attention.sdpa_kernel(attention.SDPBackend.MATH):
            gradient = point.gradient_of(again.loss, torch.zeros_like(point.value), create_graph=True)
        penalty = self.weight * (gradient * again.divisor).square().sum() / again.divisor
        penalty.backward()
        return penalty.detach()

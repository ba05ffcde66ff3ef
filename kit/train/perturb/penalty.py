"""GradientPenalty: a small change of the inputs should change the loss only a little."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.core.lazy import later
from kit.train.perturb.base import Perturb, Replay

if TYPE_CHECKING:
    import torch
    import torch.nn.attention as attention
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint
else:
    torch, attention = later("torch"), later("torch.nn.attention")


class GradientPenalty(Perturb):
    """Double backpropagation (Drucker & LeCun 1992; Ross & Doshi-Velez 2018).

    Adds weight · Σ ‖∂ loss / ∂ x‖² over the rows, where x is a row at the hook point and loss is that row's own loss.
    One more pass per batch, differentiated twice. Attention uses torch's "math" kernel, the only one that can be
    differentiated twice. cuDNN's recurrent layers cannot, so torch refuses them.
    """

    weight: float = Field(0.1, gt=0, description="factor of the squared L2 norm of a row's gradient")

    def _add(self, model: "nn.Module", point: "HookPoint", replay: Replay) -> "Tensor":
        with attention.sdpa_kernel(attention.SDPBackend.MATH):
            gradient = point.gradient_of(replay.loss, torch.zeros_like(point.value), create_graph=True)
        penalty = self.weight * (gradient * replay.divisor).square().sum() / replay.divisor
        penalty.backward()
        return penalty.detach()

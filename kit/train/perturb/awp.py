"""AWP: adversarial training that shifts the weights, not the inputs."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.core.lazy import later
from kit.train.perturb.ball import unit
from kit.train.perturb.base import Perturb, Replay

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint
else:
    torch = later("torch")


class AWP(Perturb):
    """Adversarial weight perturbation (Wu, Xia & Wang 2020): one more pass per batch.

    Shifts every matrix w (not biases and norms) by eps · ‖w‖ · g / ‖g‖, where g is its gradient so far (of this batch
    and earlier ones of the step; of one more pass if the loss is Flooding). Adds the loss at the shifted weights to the
    plain one. Then restores w exactly.
    """

    needs_point: ClassVar[bool] = False

    eps: float = Field(0.005, gt=0, description="L2 norm of a matrix's shift, divided by the matrix's own norm")

    def _add(self, model: "nn.Module", point: "HookPoint | None", replay: Replay) -> "Tensor":
        held = [p for p in model.parameters() if p.ndim > 1 and p.grad is not None]
        if replay.unflooded is None:
            gradients = [p.grad for p in held]
        else:
            gradients = list(torch.autograd.grad(replay.unflooded(), held, allow_unused=True))
        pairs = zip(held, gradients, strict=True)
        matrices = [(p, p.detach().clone(), gradient) for p, gradient in pairs if gradient is not None]
        try:
            with torch.no_grad():
                for p, weight, gradient in matrices:
                    p.add_(unit(gradient[None])[0] * (self.eps * weight.norm()))
            return replay.backward()
        finally:
            with torch.no_grad():
                for p, weight, _ in matrices:
                    p.copy_(weight)

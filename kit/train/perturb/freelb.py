"""FreeLB: adversarial training that uses the gradients of all ascent steps."""

import contextlib
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.core.lazy import later
from kit.train.perturb.ball import project, real, size, unit
from kit.train.perturb.base import Perturb, Replay, keeping_buffers, rewinder

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint
else:
    torch = later("torch")


class FreeLB(Perturb):
    """Free large-batch adversarial training (Zhu et al. 2020): `steps` passes a batch in place of the plain one.

    The gradient is the mean over the places of an ascent that starts at random, each number of a row of N drawn from
    ±eps / √N, and takes normalised steps within the eps ball; all passes drop the same units, as the paper has it. It
    is the whole gradient of the batch. After a plain pass nonetheless, the two add up. Batch norm learns from the first
    place of each batch.
    """

    version = 2
    replaces_plain: ClassVar[bool] = True

    eps: float = Field(0.5, gt=0, description="largest L2 norm of a row's shift")
    step: float = Field(0.1, gt=0, description="L2 norm of a step")
    steps: int = Field(3, ge=1, description="ascent steps whose gradients are averaged")

    def _add(self, model: "nn.Module", point: "HookPoint", replay: Replay) -> "Tensor":
        device = next(model.parameters()).device
        # Its shape is known only within the first pass, where drawing from torch's own generator would move the masks.
        generator = torch.Generator(device).manual_seed(int(torch.randint(2**62, ())))
        rewind, losses, deltas = rewinder(device), [], list["Tensor"]()

        def shift(value: "Tensor") -> "Tensor":
            if not deltas:
                drawn = torch.rand(value.shape, generator=generator, device=device, dtype=value.dtype) * 2 - 1
                deltas.append(real(self.eps * drawn / size(value, point.mask).sqrt(), point.mask))
            return value + deltas[-1]

        def uphill() -> "Tensor":
            """The gradient of the last pass, or of one more with the same shift if the loss is flooded."""
            if replay.unflooded is None:
                return point.grad
            rewind()
            with keeping_buffers(model):
                return point.gradient_of(replay.unflooded, deltas[-1])

        point.wanted = True  # there was no plain pass that set it
        for number in range(self.steps):
            rewind()
            with point.applied(shift), keeping_buffers(model) if number else contextlib.nullcontext():
                loss = replay.loss() / self.steps
                loss.backward()
            losses.append(loss.detach())
            if number + 1 < self.steps:
                gradient = torch.nan_to_num(uphill(), 0.0, 0.0, 0.0)  # fp16 may overflow; such a step is then left out
                deltas.append(project(deltas[-1] + self.step * unit(gradient), self.eps, "l2"))
        return torch.stack(losses).sum()

"""FreeLB: the gradients of all steps of the ascent count."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kit.lazy import later
from kit.train.perturb.ball import project, real, size, unit
from kit.train.perturb.base import Again, Perturb, rewinder

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from kit.train.perturb.point import Point
else:
    torch = later("torch")


class FreeLB(Perturb):
    """Free large-batch adversarial training (Zhu et al. 2020): `steps` passes a batch in place of the plain one.

    The gradient is the mean over the places of an ascent that starts at random, each number of a row of N drawn from
    ±eps / √N, and takes normalised steps within the eps ball; all passes drop the same units, as the paper has it. It
    is the whole gradient of the batch. After a plain pass nonetheless, the two add up.
    """

    replaces_plain: ClassVar[bool] = True

    eps: float = Field(0.5, gt=0, description="largest L2 length of a row's shift")
    step: float = Field(0.1, gt=0, description="L2 length of a step")
    steps: int = Field(3, ge=1, description="places whose gradients are averaged")

    def _add(self, model: "nn.Module", point: "Point", again: Again) -> "Tensor":
        device = next(model.parameters()).device
        # Its shape is known only within the first pass, where drawing from torch's own generator would move the masks.
        generator = torch.Generator(device).manual_seed(int(torch.randint(2**62, ())))
        rewind, losses, deltas = rewinder(device), [], list["Tensor"]()

        def shift(value: "Tensor") -> "Tensor":
            if not deltas:
                drawn = torch.rand(value.shape, generator=generator, device=device, dtype=value.dtype) * 2 - 1
                deltas.append(real(self.eps * drawn / size(value, point.mask).sqrt(), point.mask))
            return value + deltas[-1]

        point.wanted = True  # there was no plain pass to want it
        for _ in range(self.steps):
            rewind()
            with point.applied(shift):
                loss = again.loss() / self.steps
            loss.backward()
            losses.append(loss.detach())
            gradient = torch.nan_to_num(point.grad, 0.0, 0.0, 0.0)  # fp16 may overflow; such a step is then left out
            deltas.append(project(deltas[-1] + self.step * unit(gradient), self.eps, "l2"))
        return torch.stack(losses).sum()

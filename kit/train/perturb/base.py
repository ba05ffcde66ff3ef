"""Perturb: further gradients from a shifted place, so that the model is right in a neighbourhood of each row."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, cast

from pydantic import Field

from kit.lazy import later
from kit.spec import Spec, validator

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from kit.train.perturb.point import Point
else:
    torch = later("torch")


@dataclass(frozen=True)
class Again:
    """The batch of the plain pass, as often as wanted; dropout and noise are drawn anew each time.

    Attributes:
        loss: runs the objective: the batch's loss, a scalar with its graph, summed over rows and divided by `divisor`.
        output: runs the model: its output (n, k), with its graph.
        divisor: what sums over rows are divided by, in the plain pass too; fp16's scale of the loss is in it.
    """

    loss: "Callable[[], Tensor]"
    output: "Callable[[], Tensor]"
    divisor: "float | Tensor" = 1.0

    def backward(self) -> "Tensor":
        """Adds the gradients of the loss to those of the parameters, and gives the loss, detached."""
        loss = self.loss()
        loss.backward()
        return loss.detach()


class Perturb(Spec):
    """Settings of a perturbation of inputs or weights.

    Attributes:
        needs_point: whether inputs are shifted, so that `add` must be told where.
        replaces_plain: whether `add` gives the whole gradient of a batch, so that there is to be no plain pass.
    """

    needs_point: ClassVar[bool] = True
    replaces_plain: ClassVar[bool] = False

    start: float = Field(0.0, ge=0, description="epochs trained before it begins")
    start_score: float | None = Field(None, description="or once the last judged score reaches this; none: epochs only")

    @validator(mode="after")
    def _can_wait(self) -> Self:
        if self.start_score is not None and not self.start:
            raise ValueError("start_score says nothing where start is 0; set start to the epoch when it begins at last")
        return self

    def active(self, epoch: float, score: float | None) -> bool:
        """Whether it is time.

        Args:
            epoch: epochs trained so far, with their fraction.
            score: the last judged score, negated where less is better; None before the first.
        """
        reached = self.start_score is not None and score is not None and score >= self.start_score
        return reached or epoch >= self.start

    def add(self, model: "nn.Module", point: "Point | None", again: Again) -> "Tensor":
        """Adds the gradients of the perturbed loss to those of the parameters, and leaves all else as it was.

        The statistics of batch norm stay those of plain passes.

        Args:
            model: its parameters hold the plain gradients of this batch (and of earlier batches of the step).
            point: where inputs are shifted, None where none are; it was `wanted` in the plain pass, if there was one.
            again: the same batch once more.

        Returns:
            The loss that was added, detached, divided as that of the plain pass.
        """
        with _keeping_buffers(model):
            return self._add(model, cast("Point", point), again)

    @abstractmethod
    def _add(self, model: "nn.Module", point: "Point", again: Again) -> "Tensor": ...


@contextlib.contextmanager
def _keeping_buffers(model: "nn.Module") -> Iterator[None]:
    kept = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name not in getattr(module, "constant_buffers", ())
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, value in kept:
                setattr(module, name, buffer.copy_(value))  # a pass may have put another tensor in its place


def rewinder(device: "torch.device") -> Callable[[], None]:
    """A function that puts torch's generators back to where they are now: what follows draws the same dropout masks."""
    state = torch.get_rng_state()
    if device.type != "cuda":
        return lambda: torch.set_rng_state(state)
    cuda = torch.cuda.get_rng_state(device)

    def rewind() -> None:
        torch.set_rng_state(state)
        torch.cuda.set_rng_state(cuda, device)

    return rewind

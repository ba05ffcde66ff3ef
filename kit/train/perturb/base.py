"""Perturb: adds the gradients at shifted inputs or weights, so the model also fits the neighbourhood of each row."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, cast

from pydantic import Field

from kit.core.lazy import later
from kit.core.spec import Spec, validator

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint
else:
    torch = later("torch")


@dataclass(frozen=True)
class Replay:
    """Repeats the forward pass of a batch. Each call draws new dropout masks and noise.

    Attributes:
        loss: runs the objective: the batch's loss, a scalar with its graph, summed over rows and divided by `divisor`.
        output: runs the model: its output (n, k), with its graph.
        divisor: divisor of sums over rows, also in the plain pass. It includes the loss scale of fp16.
        unflooded: runs the objective: its loss without Flooding; None if nothing in it is flooded.
    """

    loss: "Callable[[], Tensor]"
    output: "Callable[[], Tensor]"
    divisor: "float | Tensor" = 1.0
    unflooded: "Callable[[], Tensor] | None" = None

    @property
    def ascent(self) -> "Callable[[], Tensor]":
        """Runs the objective: the loss that a shift is to raise."""
        return self.unflooded or self.loss

    def gradient(self, point: "HookPoint") -> "Tensor":
        """Gradient of `ascent` at the unshifted inputs: that of the plain pass, unless its loss was flooded."""
        if self.unflooded is None:
            return point.grad
        return point.gradient_of(self.unflooded, torch.zeros_like(point.value))

    def backward(self) -> "Tensor":
        """Adds the gradients of the loss to those of the parameters. Returns the loss, detached."""
        loss = self.loss()
        loss.backward()
        return loss.detach()


class Perturb(Spec):
    """Base class of the settings of a perturbation of inputs or weights.

    Attributes:
        needs_point: whether inputs are shifted, so that `add` needs a hook point.
        replaces_plain: whether `add` gives the whole gradient of a batch, so there is no plain pass. Then its first
            pass updates the buffers, and `_add` restores them after all others.
    """

    needs_point: ClassVar[bool] = True
    replaces_plain: ClassVar[bool] = False

    start: float = Field(0.0, ge=0, description="epochs trained before it begins")
    start_score: float | None = Field(
        None, description="it also begins once the last validation score reaches this; none: epochs only"
    )

    @validator(mode="after")
    def _can_wait(self) -> Self:
        if self.start_score is not None and not self.start:
            raise ValueError("start_score has no effect with start = 0; set start to the latest epoch when it begins")
        return self

    def active(self, epoch: float, score: float | None) -> bool:
        """Whether the perturbation has begun.

        Args:
            epoch: epochs trained so far, as a fraction.
            score: the last validation score, higher is better (losses are negated); None before the first.
        """
        reached = self.start_score is not None and score is not None and score >= self.start_score
        return reached or epoch >= self.start

    def add(self, model: "nn.Module", point: "HookPoint | None", replay: Replay) -> "Tensor":
        """Adds the gradients of the perturbed loss to those of the parameters, and leaves all else as it was.

        Buffers, such as the statistics of batch norm and the vectors of spectral norm, follow one pass a batch: the
        plain one, or where there is none the first of these.

        Args:
            model: its parameters hold the plain gradients of this batch (and of earlier batches of the step).
            point: where inputs are shifted, None where none are; it was `wanted` in the plain pass, if there was one.
            replay: the same batch, for further passes.

        Returns:
            The loss that was added, detached, divided as that of the plain pass.
        """
        with contextlib.nullcontext() if self.replaces_plain else keeping_buffers(model):
            return self._add(model, cast("HookPoint", point), replay)

    @abstractmethod
    def _add(self, model: "nn.Module", point: "HookPoint", replay: Replay) -> "Tensor": ...


@contextlib.contextmanager
def keeping_buffers(model: "nn.Module") -> Iterator[None]:
    """Context at whose end the buffers of the model are as they were."""
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

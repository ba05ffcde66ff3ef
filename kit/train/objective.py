"""Objectives: an objective computes the loss of a step from a model and a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

Batch = dict[str, Any]


class Step(NamedTuple):
    """The result of an objective.

    Attributes:
        loss: scalar, summed over the batch's rows, with its graph.
        output: the model's output, (n, k) or (members, n, k).
        parts: named parts of the loss, scalars without graph, for the log.
        unflooded: the loss without Flooding, which perturbations raise; None if nothing in it is flooded.
    """

    loss: Tensor
    output: Tensor
    parts: dict[str, Tensor] = {}
    unflooded: Tensor | None = None

    def plus(self, term: Tensor, **parts: Tensor) -> "Step":
        """The step with another term added to its loss, and more parts to log, which are detached here."""
        logged = self.parts | {name: part.detach() for name, part in parts.items()}
        ascent = None if self.unflooded is None else self.unflooded + term
        return self._replace(loss=self.loss + term, parts=logged, unflooded=ascent)


class Objective(Protocol):
    """A function (model, batch) → `Step`."""

    def __call__(self, model: nn.Module, batch: Batch) -> Step: ...


@dataclass(frozen=True)
class Supervised:
    """The loss between the model's output and `batch["y"]`, computed in fp32 even if the model ran in bf16 or fp16.

    Attributes:
        loss: output (n, k), labels (n, k) → loss of each row (n,), such as `BCE()` or `Focal().rows("multiclass")`.
            If a batch has "weight" (n,), it is the third argument. If the loss is Flooding, its attribute
            `unflooded` is the loss inside. Of mixed rows it is the sum of the losses of both labels, see
            `kit.train.mix.MixedLabels`.
    """

    loss: Callable[..., Tensor]

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        output = model(**batch["inputs"])
        true = without_flooding(self.loss)
        unflooded = None if true is None else _of_rows(true, output.float(), batch).sum()
        return Step(_of_rows(self.loss, output.float(), batch).sum(), output, unflooded=unflooded)


def _of_rows(loss: Callable[..., Tensor], output: Tensor, batch: Batch) -> Tensor:
    """The loss of each row of a batch, (n,)."""
    if (mixed := batch.get("mixed")) is not None:
        return mixed.losses(loss, output)
    return loss(output, batch["y"], *([batch["weight"]] if "weight" in batch else []))


def without_flooding(loss: Callable[..., Tensor]) -> Callable[..., Tensor] | None:
    """The loss inside Flooding; None if the loss is not flooded."""
    return getattr(loss, "unflooded", None)


def is_flooded(objective: Any) -> bool:
    """Whether Flooding is part of an objective.

    Perturbations look for the place where a row's loss is highest. Below the flood level the gradient of the flooded
    loss leads to where it is lowest, so perturbations use `Step.unflooded` then.
    """
    if isinstance(objective, Supervised):
        return without_flooding(objective.loss) is not None
    inner = getattr(objective, "objective", getattr(objective, "inner", None))
    return inner is not None and is_flooded(inner)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with every tensor on `device`, nested dicts included."""
    return {
        k: to_device(v, device) if isinstance(v, dict) else v.to(device, non_blocking=True) for k, v in batch.items()
    }

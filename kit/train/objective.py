"""Objectives: what a step computes from a model and a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

Batch = dict[str, Any]


class Step(NamedTuple):
    """One forward pass: summed loss of the batch's rows, the model's output, and named parts of the loss to log."""

    loss: Tensor
    output: Tensor
    parts: dict[str, Tensor] = {}


class Objective(Protocol):
    """What a training step computes: model and batch → `Step`."""

    def __call__(self, model: nn.Module, batch: Batch) -> Step: ...


@dataclass(frozen=True)
class Supervised:
    """The loss between the model's output and `batch["y"]`, in fp32 whatever the model ran in.

    Attributes:
        loss: output (n, k), labels (n, k) → loss of each row (n,), such as `BCE()` or `Focal().rows("multiclass")`.
            Where a batch has "weight" (n,), it is the third argument.
    """

    loss: Callable[..., Tensor]

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        output = model(**batch["inputs"])
        weight = (batch["weight"],) if "weight" in batch else ()
        return Step(self.loss(output.float(), batch["y"], *weight).sum(), output)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with every tensor on `device`, nested dicts included."""
    return {
        k: to_device(v, device) if isinstance(v, dict) else v.to(device, non_blocking=True) for k, v in batch.items()
    }

"""Objectives: what a step computes from a model and a batch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
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


def _bce(logits: Tensor, y: Tensor) -> Tensor:
    """Binary cross-entropy of each row, the mean over its columns: (n, k) and (n, k) → (n,)."""
    return F.binary_cross_entropy_with_logits(logits, y, reduction="none").mean(1)


def _cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of each row: (n, classes) and class indices (n, 1) → (n,)."""
    return F.cross_entropy(logits, y[:, 0].long(), reduction="none")


def _squared(values: Tensor, y: Tensor) -> Tensor:
    """Squared error of each row, the mean over its columns: (n, k) and (n, k) → (n,)."""
    return (values - y).square().mean(1)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "binary": _bce, "multilabel": _bce, "multiclass": _cross_entropy, "regression": _squared,
}  # fmt: skip


@dataclass(frozen=True)
class Supervised:
    """The loss between the model's output and `batch["y"]`, in fp32 whatever the model ran in.

    Attributes:
        loss: output (n, k), labels (n, k) → loss of each row (n,).
    """

    loss: Callable[[Tensor, Tensor], Tensor] = field(default=_bce)

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        output = model(**batch["inputs"])
        return Step(self.loss(output.float(), batch["y"]).sum(), output)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with every tensor on `device`, nested dicts included."""
    return {
        k: to_device(v, device) if isinstance(v, dict) else v.to(device, non_blocking=True) for k, v in batch.items()
    }

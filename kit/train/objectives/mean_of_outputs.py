"""MeanOfOutputs: the mean loss of several outputs per row. Also `weighted_sum`, a sum over rows with weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kit.train.mix import MixedLabels
from kit.train.objective import Batch, without_flooding


@dataclass(frozen=True)
class MeanOfOutputs:
    """A loss for models that give several outputs per row: the mean of their losses, not the loss of their mean.

    `Supervised(MeanOfOutputs(loss))` trains `MultiSampleDropout` (Inoue 2019) and `Heads`.

    Attributes:
        loss: as in `Supervised`: output (n, k), labels (n, k) and, if there are any, weights (n,) → (n,).
    """

    loss: Callable[..., Tensor]

    @property
    def unflooded(self) -> "MeanOfOutputs | None":
        """The same mean of the loss inside Flooding; None if the loss is not flooded."""
        true = without_flooding(self.loss)
        return None if true is None else MeanOfOutputs(true)

    def __call__(self, output: Tensor, y: Tensor, *weight: Tensor) -> Tensor:
        """Outputs (members, n, k) or (n, k), labels (n, k) and, if there are any, weights (n,) → (n,)."""
        if output.ndim == 2:
            return self.loss(output, y, *weight)
        return torch.stack([self.loss(one, y, *weight) for one in output]).mean(0)

    def mixed(self, output: Tensor, *of_both: Any) -> Tensor:
        """The same of mixed rows: `of_both` are labels, weights and share of a `MixedLabels`."""
        labels = MixedLabels(*of_both)
        if output.ndim == 2:
            return labels.losses(self.loss, output)
        return torch.stack([labels.losses(self.loss, one) for one in output]).mean(0)


def weighted_sum(rows: Tensor, batch: Batch) -> Tensor:
    """Sum of the numbers `rows` (n,), each times the weight of its row if the batch has `weight` (n,)."""
    return (rows * batch["weight"]).sum() if "weight" in batch else rows.sum()

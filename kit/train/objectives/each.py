"""Each: the loss of several outputs a row, averaged over them; and sums over rows that have weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kit.train.objective import Batch


@dataclass(frozen=True)
class Each:
    """A loss for models that answer several times: the mean of the answers' losses, not the loss of their mean.

    `Supervised(Each(loss))` trains `MultiSampleDropout` (Inoue 2019) and `Heads`.

    Attributes:
        loss: as in `Supervised`: output (n, k), labels (n, k), and weights (n,) if there are any → (n,).
    """

    loss: Callable[..., Tensor]

    def __call__(self, output: Tensor, y: Tensor, *weight: Tensor) -> Tensor:
        """Outputs (members, n, k), or one (n, k), labels (n, k), and weights (n,) if there are any → (n,)."""
        if output.ndim == 2:
            return self.loss(output, y, *weight)
        return torch.stack([self.loss(one, y, *weight) for one in output]).mean(0)


def weighed(rows: Tensor, batch: Batch) -> Tensor:
    """Σ rows (n,), each times its weight where the batch has `weight` (n,)."""
    return (rows * batch["weight"]).sum() if "weight" in batch else rows.sum()

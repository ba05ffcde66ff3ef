"""ArrayBatches: shuffled batches of arrays that fit into memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kit.core.errors import KitError
from kit.train.prefetch import WorkersNeeded

Array = np.ndarray | Tensor


class ArrayBatches:
    """Batches of arrays (numbers, pictures, …) with the same number of rows, in a new random order in each epoch.

    Args:
        inputs: name of the model's argument → (n, …); fp64 becomes fp32.
        y: labels (n, k); class indices (n, 1) for a multiclass task; (n,) is read as (n, 1).
        size: largest number of rows in a batch. The batches of an epoch differ by one row at most, so the last one is
            not smaller than the others.
        seed: seed of the random order.

    Raises:
        KitError: there are no rows, an input has more or fewer rows than there are labels, or `size` is below 1.
    """

    needs: WorkersNeeded = "nothing"

    def __init__(self, inputs: Mapping[str, Array], y: Array, size: int = 32, seed: int = 0) -> None:
        self.inputs, labels = {name: _tensor(value) for name, value in inputs.items()}, _tensor(y).float()
        self.y = labels[:, None] if labels.ndim == 1 else labels
        self.size, self.seed = size, seed
        for name, value in self.inputs.items():
            if len(value) != len(self.y):
                raise KitError(f"input '{name}' has {len(value)} rows, but there are {len(self.y)} labels")
        if not len(self.y) or size < 1:
            raise KitError(f"{len(self.y)} rows cannot be cut into batches of {size}")

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, each as positions of rows. Every call gives the same batches."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.y))
        return np.array_split(order, -(-len(order) // self.size))

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        at = torch.from_numpy(rows)
        return {"inputs": {name: value[at] for name, value in self.inputs.items()}, "y": self.y[at]}


def _tensor(value: Array) -> Tensor:
    tensor = value if isinstance(value, Tensor) else torch.tensor(value)
    return tensor.float() if tensor.dtype == torch.float64 else tensor

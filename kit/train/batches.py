"""ArrayBatches: rows of arrays that fit into memory, in shuffled batches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kit.spec import KitError

Array = np.ndarray | Tensor


class ArrayBatches:
    """Batches of a table, pictures, or any other arrays of one length, in a new random order each epoch.

    Args:
        inputs: name of the model's argument → (n, …); fp64 becomes fp32.
        y: (n, k) labels, class indices (n, 1) for several classes; (n,) is taken for (n, 1).
        size: rows a batch at most; an epoch's batches differ by a row, so that none is a small rest.
        seed: of the order.

    Raises:
        KitError: there are no rows, an input has not one for each label, or `size` is below 1.
    """

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
        """The batches of an epoch, as positions; the same ones each time it is asked."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.y))
        return np.array_split(order, -(-len(order) // self.size))

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        at = torch.from_numpy(rows)
        return {"inputs": {name: value[at] for name, value in self.inputs.items()}, "y": self.y[at]}


def _tensor(value: Array) -> Tensor:
    tensor = value if isinstance(value, Tensor) else torch.tensor(value)
    return tensor.float() if tensor.dtype == torch.float64 else tensor

"""ArrayInputs: rows as plain arrays, for datasets whose rows have one shape."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class ArrayInputs:
    """Arrays of all rows known, by the name that the network's `forward` gives them.

    Attributes:
        arrays: name → (n, …), numbers float32, ids int64.
    """

    arrays: Mapping[str, np.ndarray]

    @property
    def length(self) -> np.ndarray:
        """(n,) ones: every row costs the same."""
        return np.ones(len(next(iter(self.arrays.values()))), dtype=np.int64)

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """The rows' tensors; there is nothing to pad."""
        return {name: torch.from_numpy(array[rows]) for name, array in self.arrays.items()}

    def key(self, row: int) -> bytes:
        """Equal for equal rows."""
        return b"".join(array[row].tobytes() for array in self.arrays.values())

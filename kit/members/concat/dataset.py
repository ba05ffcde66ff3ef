"""JoinedDataset: the same rows as every part of a Concat reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from torch import Tensor

from kit.augment.base import Changes
from kit.members.network.dataset import Dataset
from kit.members.network.reader import Change, Reader
from kit.rows import Rows
from kit.train.lengths import Inputs


@dataclass(frozen=True)
class JoinedInputs:
    """Inputs of all parts, their names behind `part<i>_`."""

    parts: tuple[Inputs, ...]

    @cached_property
    def length(self) -> np.ndarray:
        """(n,) what all parts together cost."""
        return np.sum([part.length for part in self.parts], axis=0)

    def padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Every part's tensors."""
        return {f"part{i}_{k}": v for i, part in enumerate(self.parts) for k, v in part.padded(rows).items()}

    def key(self, row: int) -> bytes:
        """Equal for rows that are equal to every part."""
        keys = [part.key(row) for part in self.parts]
        return b"".join(len(key).to_bytes(8, "big") + key for key in keys)


class JoinedDataset(Dataset):
    """Rows as every part reads them.

    Args:
        parts: one dataset a part.
    """

    def __init__(self, parts: Sequence[Dataset]) -> None:
        self.parts = list(parts)

    def inputs(self, rows: Rows) -> JoinedInputs:
        return JoinedInputs(tuple(part.inputs(rows) for part in self.parts))

    @property
    def augments(self) -> tuple[Changes, ...]:
        return tuple(sorted({changes for part in self.parts for changes in part.augments}))

    def reader(self, rows: Rows, changes: Changes) -> "JoinedReader":
        return JoinedReader([part.reader(rows, changes) for part in self.parts])

    def at_size(self, size: int) -> Self:
        if "pictures" not in self.augments:
            return super().at_size(size)
        return type(self)([part.at_size(size) if "pictures" in part.augments else part for part in self.parts])

    def save(self, folder: Path) -> None:
        for i, part in enumerate(self.parts):
            (folder / f"part{i}").mkdir()
            part.save(folder / f"part{i}")


class JoinedReader(Reader):
    """Changed rows as every part reads them."""

    def __init__(self, parts: Sequence[Reader]) -> None:
        self.parts = list(parts)

    def job(self, at: np.ndarray) -> list[Any]:
        return [part.job(at) for part in self.parts]

    def read(self, job: list[Any], change: Change) -> dict[str, Tensor]:
        read = [part.read(own, change) for part, own in zip(self.parts, job, strict=True)]
        return {f"part{i}_{k}": v for i, tensors in enumerate(read) for k, v in tensors.items()}

"""JoinedDataset: the same rows as every part of a Concat reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from kit.augment.base import Changes
from kit.members.network.dataset import Dataset
from kit.members.network.reader import Change, Reader
from kit.rows import Rows
from kit.train.lengths import Inputs


@dataclass(frozen=True)
class JoinedInputs:
    """Inputs of all parts, their names behind `part<i>_`; of a part that cannot read some rows, which ones it can."""

    parts: tuple[Inputs, ...]

    @cached_property
    def length(self) -> np.ndarray:
        """(n,) what all parts together cost."""
        return np.sum([part.length for part in self.parts], axis=0)

    @cached_property
    def readable(self) -> np.ndarray:
        """(n,) whether some part can read a row."""
        own = [getattr(part, "readable", None) for part in self.parts]
        given = [one for one in own if one is not None]
        return np.any(given, axis=0) if len(given) == len(own) else np.ones(len(self.length), dtype=bool)

    @cached_property
    def gaps(self) -> tuple[np.ndarray | None, ...]:
        """Of each part: (n,) whether it can read a row; None where it can read all."""
        own = [getattr(part, "readable", None) for part in self.parts]
        return tuple(None if one is None or one.all() else one for one in own)

    def padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Every part's tensors, and `part<i>_readable` (n,) of those that cannot read all rows."""
        made = {f"part{i}_{k}": v for i, part in enumerate(self.parts) for k, v in part.padded(rows).items()}
        return made | _readable([None if gap is None else gap[rows] for gap in self.gaps])

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
        return JoinedReader([part.reader(rows, changes) for part in self.parts], self.inputs(rows).gaps)

    def at_size(self, size: int) -> Self:
        if "pictures" not in self.augments:
            return super().at_size(size)
        return type(self)([part.at_size(size) if "pictures" in part.augments else part for part in self.parts])

    def save(self, folder: Path) -> None:
        for i, part in enumerate(self.parts):
            (folder / f"part{i}").mkdir()
            part.save(folder / f"part{i}")


class JoinedReader(Reader):
    """Changed rows as every part reads them.

    Args:
        parts: one reader a part.
        gaps: of the inputs, see `JoinedInputs`.
    """

    def __init__(self, parts: Sequence[Reader], gaps: Sequence[np.ndarray | None]) -> None:
        self.parts, self.gaps = list(parts), list(gaps)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"gaps": []}  # jobs hold them

    def job(self, at: np.ndarray) -> tuple[list[Any], list[np.ndarray | None]]:
        return [part.job(at) for part in self.parts], [None if gap is None else gap[at] for gap in self.gaps]

    def read(self, job: tuple[list[Any], list[np.ndarray | None]], change: Change) -> dict[str, Tensor]:
        jobs, gaps = job
        read = [part.read(own, change) for part, own in zip(self.parts, jobs, strict=True)]
        return {f"part{i}_{k}": v for i, tensors in enumerate(read) for k, v in tensors.items()} | _readable(gaps)


def _readable(gaps: Sequence[np.ndarray | None]) -> dict[str, Tensor]:
    return {f"part{i}_readable": torch.from_numpy(gap) for i, gap in enumerate(gaps) if gap is not None}

"""TableCells: a table as one array of fp32, scaled numbers first, then ids of categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from kit.source import Arrays
from kit.tables.scalers import FittedScaler, Scaler
from kit.tables.unsupervised import codes_of, numbers_of, split

MISSING, RARE = 0, 1  # ids; where no value is rare, the first value has the id 1


@dataclass(frozen=True)
class TableCells:
    """How a frame of numbers and categories becomes cells.

    Attributes:
        scaler: of the numbers.
        ids: of each column of categories: the id of each code, that of −1 first.
    """

    scaler: FittedScaler
    ids: tuple[np.ndarray, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, scaler: Scaler, values: int) -> Self:
        """Fits on all rows.

        Args:
            frame: numbers float64, categories.
            scaler: of the numbers.
            values: largest number of ids of a column; the rarest values share one.
        """
        codes = codes_of(frame, split(frame)[1])
        ids = [_ids(np.bincount(own[own >= 0], minlength=1), values) for own in codes.T]
        return cls(scaler.fit(numbers_of(frame)), tuple(ids))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of ids of each column of categories."""
        return tuple(int(ids.max()) + 1 for ids in self.ids)

    def of(self, frame: pd.DataFrame) -> np.ndarray:
        """(n, numbers + categories) float32; a missing number is NaN."""
        numbers = self.scaler.transform(numbers_of(frame))
        codes = codes_of(frame, split(frame)[1])
        ids = [own[code + 1] for own, code in zip(self.ids, codes.T, strict=True)]
        return np.column_stack([numbers, *ids]).astype(np.float32)

    def to_arrays(self) -> Arrays:
        """Everything that `from_arrays` needs."""
        scaler = {f"scaler.{name}": array for name, array in self.scaler.state.items()}
        return scaler | {f"ids.{j}": ids for j, ids in enumerate(self.ids)}

    @classmethod
    def from_arrays(cls, scaler: Scaler, arrays: Arrays) -> Self:
        """What `to_arrays` gave, among other arrays."""
        state = {name.removeprefix("scaler."): a for name, a in arrays.items() if name.startswith("scaler.")}
        count = sum(name.startswith("ids.") for name in arrays)
        return cls(FittedScaler(scaler, state), tuple(np.asarray(arrays[f"ids.{j}"]) for j in range(count)))


def _ids(counts: Sequence[int] | np.ndarray, values: int) -> np.ndarray:
    """The id of each code, that of −1 first."""
    counts = np.asarray(counts)
    if len(counts) + 1 <= values:
        return np.arange(len(counts) + 1)
    kept = np.sort(np.argsort(-counts, kind="stable")[: values - 2])
    ids = np.full(len(counts) + 1, RARE)
    ids[0] = MISSING
    ids[kept + 1] = RARE + 1 + np.arange(len(kept))
    return ids

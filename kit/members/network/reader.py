"""Reader: reads rows that an augment changes, in worker processes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from torch import Tensor

from kit.augment import Augment, augmented
from kit.augment.base import Changes
from kit.rows import Rows
from kit.source import Source
from kit.train.lengths import Inputs


class Change:
    """What is done to the samples of some rows in an epoch: `change(samples, rows, column)` gives the changed ones.

    Args:
        augment: the augment.
        seed: of the random numbers.
        epoch: number of the epoch.
        at: (n,) places of the rows in the whole table.
    """

    def __init__(self, augment: Augment, seed: int, epoch: int, at: np.ndarray) -> None:
        self.augment, self.seed, self.epoch, self.at = augment, seed, epoch, at

    @property
    def kind(self) -> Changes:
        """What is changed: texts or pictures."""
        return self.augment.changes

    @property
    def crops(self) -> bool:
        """Of pictures: whether the change chooses the part that is shown."""
        return self.augment.crops

    def __call__(self, samples: Sequence[Any], rows: np.ndarray, column: int) -> list[Any]:
        """The changed samples.

        Args:
            samples: texts, or pictures (height, width, 3) uint8.
            rows: the row of each, as a position in `at`.
            column: number of the column of texts, or of the picture within a row.
        """
        return augmented(samples, self.augment, self.seed, self.epoch, self.at[rows].tolist(), column)


class Reader(ABC):
    """Turns changed rows into tensors. Pickled once for each worker process, so it holds little."""

    @abstractmethod
    def job(self, at: np.ndarray) -> Any:
        """What `read` has to know of the rows at these places of the source: picklable and small."""

    @abstractmethod
    def read(self, job: Any, change: Change) -> dict[str, Tensor]:
        """The tensors of the changed rows, as `Inputs.padded` gives them of plain rows."""


class ReadsRows(Protocol):
    """A dataset, see `kit.members.network.dataset`."""

    def inputs(self, rows: Rows) -> Inputs: ...


class CellReader(Reader):
    """Changes the texts in cells, and lets a dataset read the changed rows as it reads others."""

    def __init__(self, dataset: ReadsRows, rows: Rows) -> None:
        self.dataset, self.task = dataset, rows.task
        self.frame: pd.DataFrame | None = rows.source.frame.drop(columns=list(rows.task.images), errors="ignore")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"frame": None}  # jobs hold the cells

    def job(self, at: np.ndarray) -> pd.DataFrame:
        assert self.frame is not None
        return self.frame.iloc[at]

    def read(self, job: pd.DataFrame, change: Change) -> dict[str, Tensor]:
        every = np.arange(len(job))
        texts = {c: job[c].astype(object).fillna("").astype(str).tolist() for c in self.task.text}
        changed: dict[str, Any] = {c: change(texts[c], every, column=i) for i, c in enumerate(texts)}
        return self.dataset.inputs(Rows(self.task, Source(job.assign(**changed)), every)).padded(every)


class PlainReader(Reader):
    """Of rows whose samples no change concerns: their tensors as they are."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs: Inputs | None = inputs

    def __getstate__(self) -> dict[str, Any]:
        return {"inputs": None}  # jobs hold the tensors

    def job(self, at: np.ndarray) -> dict[str, Tensor]:
        assert self.inputs is not None
        return self.inputs.padded(at)

    def read(self, job: dict[str, Tensor], change: Change) -> dict[str, Tensor]:
        return job

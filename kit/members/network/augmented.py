"""Augmented rows: other versions of the texts or pictures of some rows in each epoch."""

from typing import Any

import numpy as np
from torch import Tensor

from kit.augment import Augment
from kit.members.network.dataset import Dataset
from kit.members.network.reader import Change, Reader
from kit.rows import Rows
from kit.train.prefetch import WorkersNeeded

CHOICE = int.from_bytes(b"choice")  # part of the seed, so these random numbers differ from others


class AugmentedRows:
    """The changed rows of `kit.train.lengths.LengthBatches`.

    What a row becomes depends on seed, epoch and row alone, so neither the number of workers nor a restart matters.

    Args:
        dataset: reads the changed rows as it reads others.
        rows: the train rows.
        augment: what is done to a text or a picture.
        share: rows changed in an epoch, the others stay as they are.
        seed: of choice and change.
    """

    needs: WorkersNeeded = "processes"

    def __init__(self, dataset: Dataset, rows: Rows, augment: Augment, share: float, seed: int) -> None:
        self.read = ReadChanged(dataset.reader(rows, augment.changes), augment, seed)
        self.rows, self.share, self.seed = rows, share, seed

    def chosen(self, epoch: int) -> np.ndarray:
        """(n,) which rows are changed in an epoch."""
        return np.random.default_rng([CHOICE, self.seed, epoch]).random(len(self.rows)) < self.share

    def job(self, epoch: int, rows: np.ndarray) -> tuple[int, np.ndarray, Any]:
        """The epoch, the rows' places in the whole table, and what their reader has to know of them."""
        at = self.rows.at[rows]
        return epoch, at, self.read.reader.job(at)


class ReadChanged:
    """The work of a worker process: changes rows and turns them into tensors."""

    def __init__(self, reader: Reader, augment: Augment, seed: int) -> None:
        self.reader, self.augment, self.seed = reader, augment, seed

    def __call__(self, job: tuple[int, np.ndarray, Any]) -> dict[str, Tensor]:
        """The network's arguments for the rows of `AugmentedRows.job`, padded to the longest of them."""
        epoch, at, rows = job
        return self.reader.read(rows, Change(self.augment, self.seed, epoch, at))

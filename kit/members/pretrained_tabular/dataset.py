"""CellDataset: rows as the cells that an autoencoder has learnt from."""

from pathlib import Path
from typing import Self

import numpy as np

from kit.members.network.arrays import ArrayInputs
from kit.members.network.dataset import Dataset
from kit.rows import Rows
from kit.tables.unsupervised import FittedUnsupervised


class CellDataset(Dataset):
    """Rows as scaled numbers and ids of categories, in one array.

    Args:
        learnt: an autoencoder of these columns.
    """

    def __init__(self, learnt: FittedUnsupervised) -> None:
        self.learnt = learnt

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The dataset that `save` wrote."""
        return cls(FittedUnsupervised.load(folder))

    def save(self, folder: Path) -> None:
        self.learnt.save(folder)

    def inputs(self, rows: Rows) -> ArrayInputs:
        every = Rows(rows.task, rows.source, np.arange(len(rows.source.frame)))
        features, arrays = self.learnt.features, self.learnt.arrays
        return ArrayInputs({"cells": features.cells(arrays, self.learnt.frame(every))})  # type: ignore[attr-defined]

"""ColumnDataset: rows as standardised numbers and ids of categories."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from kit.core.files import read_json, write_json
from kit.features.base import ComputedFeatures, Features
from kit.members.network.arrays import ArrayInputs
from kit.members.network.dataset import Dataset
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.tables.scaling import Scaling
from kit.task import Task
from kit.text.statistics import TextStatistics


def described(task: Task, text: bool, features: tuple[Features, ...]) -> tuple[Features, ...]:
    """All features beside the plain columns: with `text`, and where the task has any, statistics of the text first."""
    return (*([TextStatistics()] if text and task.text else []), *features)


class ColumnDataset(Dataset):
    """Rows as standardised numbers and ids of categories.

    Args:
        columns: how rows become numbers and categories.
        scaling: of the numbers.
        train: the rows that it was fitted on, with their columns, where these are not those that other rows would have;
            None: they are.
    """

    def __init__(self, columns: Columns, scaling: Scaling, train: tuple[Rows, pd.DataFrame] | None = None) -> None:
        self.columns, self.scaling, self.train = columns, scaling, train

    @classmethod
    def fit(cls, text: bool, features: tuple[Features, ...], rows: Rows) -> Self:
        """Takes scales, categories and features from the train rows.

        Args:
            text: whether statistics of the text columns are among the numbers.
            features: further columns beside the plain ones.
            rows: train rows.
        """
        columns, frame = Columns.fit(rows, described(rows.task, text, features))
        crossed = not all(isinstance(fitted, ComputedFeatures) for fitted in columns.features)
        scaling = Scaling.of(frame.select_dtypes("number").to_numpy(np.float64))
        return cls(columns, scaling, (rows, frame) if crossed else None)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The dataset that `save` wrote."""
        return cls(Columns.load(folder), Scaling.from_dict(read_json(folder / "scaling.json")))

    @property
    def numbers(self) -> int:
        """Numeric inputs."""
        return len(self.scaling.center)

    @property
    def categories(self) -> list[int]:
        """Values of each categorical column; the id 0, for what is missing or unknown, counted."""
        return [len(values) + 1 for values in self.columns.categories.values()]

    def save(self, folder: Path) -> None:
        self.columns.save(folder)
        write_json(folder / "scaling.json", self.scaling.to_dict())

    def inputs(self, rows: Rows) -> ArrayInputs:
        frame = self.columns.frame(Rows(rows.task, rows.source, np.arange(len(rows.source.frame))))
        if self.train and self.train[0].source is rows.source:
            frame.iloc[self.train[0].at] = self.train[1]
        kinds = frame.select_dtypes("category")
        numbers = self.scaling.transform(frame.drop(columns=kinds.columns).to_numpy(np.float64)).astype(np.float32)
        codes = [kinds[c].cat.codes.to_numpy() + 1 for c in kinds]
        ids = np.stack(codes, axis=1).astype(np.int64) if codes else np.zeros((len(frame), 0), dtype=np.int64)
        return ArrayInputs({"numbers": numbers, "categories": ids})

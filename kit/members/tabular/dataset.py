"""ColumnDataset: rows as scaled numbers and ids of categories."""

import weakref
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.core.files import read_json, write_json
from kit.features.base import ComputedFeatures, Features
from kit.members.network.arrays import ArrayInputs
from kit.members.network.dataset import Dataset
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.tables.scalers import FittedScaler, RobustScaling, Scaler
from kit.task import Task
from kit.text.statistics import TextStatistics


def described(task: Task, text: bool, features: tuple[Features, ...]) -> tuple[Features, ...]:
    """All features beside the plain columns: with `text`, and where the task has any, statistics of the text first."""
    return (*([TextStatistics()] if text and task.text else []), *features)


class ColumnDataset(Dataset):
    """Rows as scaled numbers and ids of categories.

    Args:
        columns: how rows become numbers and categories.
        scaler: of the numbers, fitted on train rows.
        gaps: numeric columns in which numbers of train rows are missing.
        nan: whether missing numbers are NaN, for a network that learns what they mean; else they are 0.
        train: the rows that it was fitted on, with their columns, where these are not those that other rows would have;
            None: they are.
    """

    def __init__(
        self,
        columns: Columns,
        scaler: FittedScaler,
        gaps: tuple[int, ...],
        nan: bool = False,
        train: tuple[Rows, pd.DataFrame] | None = None,
    ) -> None:
        self.columns, self.scaler, self.gaps, self.nan, self.train = columns, scaler, gaps, nan, train
        self._last: tuple[weakref.ref[Any], ArrayInputs] | None = None  # an epoch's score reads the same rows again

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    @classmethod
    def fit(
        cls,
        text: bool,
        features: tuple[Features, ...],
        rows: Rows,
        scaling: Scaler | None = None,
        nan: bool = False,
    ) -> Self:
        """Takes scales, categories and features from the train rows.

        Args:
            text: whether statistics of the text columns are among the numbers.
            features: further columns beside the plain ones.
            rows: train rows.
            scaling: of the numbers; None: `RobustScaling`.
            nan: see the class.
        """
        columns, frame = Columns.fit(rows, described(rows.task, text, features))
        crossed = not all(isinstance(fitted, ComputedFeatures) for fitted in columns.features)
        numbers = frame.select_dtypes("number").to_numpy(np.float64)
        gaps = tuple(np.flatnonzero(np.isnan(numbers).any(axis=0)).tolist())
        scaler = (scaling or RobustScaling()).fit(numbers)
        return cls(columns, scaler, gaps, nan, (rows, frame) if crossed else None)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The dataset that `save` wrote."""
        saved = read_json(folder / "numbers.json")
        scaler = FittedScaler.load(Scaler.from_dict(saved["scaling"]), folder)
        return cls(Columns.load(folder), scaler, tuple(saved["gaps"]), saved["nan"])

    @property
    def numbers(self) -> int:
        """Numeric inputs."""
        return len(self.columns.names) - len(self.columns.categories)

    @property
    def categories(self) -> list[int]:
        """Values of each categorical column; the id 0, for what is missing or unknown, counted."""
        return [len(values) + 1 for values in self.columns.categories.values()]

    def save(self, folder: Path) -> None:
        self.columns.save(folder)
        self.scaler.save(folder)
        saved = {"scaling": self.scaler.scaler.to_dict(), "gaps": self.gaps, "nan": self.nan}
        write_json(folder / "numbers.json", saved)

    def inputs(self, rows: Rows) -> ArrayInputs:
        if self._last is not None and self._last[0]() is rows.source:
            return self._last[1]
        frame = self.columns.frame(Rows(rows.task, rows.source, np.arange(len(rows.source.frame))))
        if self.train and self.train[0].source is rows.source:
            frame.iloc[self.train[0].at] = self.train[1]
        kinds = frame.select_dtypes("category")
        numbers = self.scaler.transform(frame.drop(columns=kinds.columns).to_numpy(np.float64)).astype(np.float32)
        if not self.nan:
            numbers = np.nan_to_num(numbers)
        codes = [kinds[c].cat.codes.to_numpy() + 1 for c in kinds]
        ids = np.stack(codes, axis=1).astype(np.int64) if codes else np.zeros((len(frame), 0), dtype=np.int64)
        made = ArrayInputs({"numbers": numbers, "categories": ids})
        self._last = weakref.ref(rows.source), made
        return made

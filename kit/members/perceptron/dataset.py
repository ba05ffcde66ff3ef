"""ColumnDataset: rows as standardised numbers and ids of categories."""

from pathlib import Path
from typing import Self

import numpy as np

from kit.core.files import read_json, write_json
from kit.members.network.arrays import ArrayInputs
from kit.members.network.dataset import Dataset
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.tables.features import Features
from kit.tables.scaling import Scaling
from kit.task import Task
from kit.text.statistics import TextStatistics


def described(task: Task, text: bool, features: tuple[Features, ...]) -> tuple[Features, ...]:
    """All features beside the plain columns: with `text`, and where the task has any, statistics of the text first."""
    return (*([TextStatistics()] if text and task.text else []), *features)


class ColumnDataset(Dataset):
    """Rows as standardised numbers and ids of categories.

    Args:
        text: whether statistics of the text columns are among the numbers.
        features: further numbers beside the plain columns.
        columns: categories of the train rows.
        scaling: of the numbers.
    """

    def __init__(self, text: bool, features: tuple[Features, ...], columns: Columns, scaling: Scaling) -> None:
        self.text, self.features, self.columns, self.scaling = text, features, columns, scaling

    @classmethod
    def fit(cls, text: bool, features: tuple[Features, ...], rows: Rows) -> Self:
        """Takes scales and categories from the train rows."""
        columns = Columns.of(rows)
        frame = columns.frame(rows, described(rows.task, text, features))
        return cls(text, features, columns, Scaling.of(frame.select_dtypes("number").to_numpy(np.float64)))

    @classmethod
    def load(cls, text: bool, features: tuple[Features, ...], folder: Path) -> Self:
        """The dataset that `save` wrote."""
        saved = read_json(folder / "columns.json")
        return cls(text, features, Columns(saved["categories"]), Scaling.from_dict(saved))

    @property
    def numbers(self) -> int:
        """Numeric inputs."""
        return len(self.scaling.center)

    @property
    def categories(self) -> list[int]:
        """Values of each categorical column; the id 0, for what is missing or unknown, counted."""
        return [len(values) + 1 for values in self.columns.categories.values()]

    def save(self, folder: Path) -> None:
        write_json(folder / "columns.json", self.scaling.to_dict() | {"categories": self.columns.categories})

    def inputs(self, rows: Rows) -> ArrayInputs:
        whole = Rows(rows.task, rows.source, np.arange(len(rows.source.frame)))
        frame = self.columns.frame(whole, described(rows.task, self.text, self.features))
        kinds = frame.select_dtypes("category")
        numbers = self.scaling.transform(frame.drop(columns=kinds.columns).to_numpy(np.float64)).astype(np.float32)
        codes = [kinds[c].cat.codes.to_numpy() + 1 for c in kinds]
        ids = np.stack(codes, axis=1).astype(np.int64) if codes else np.zeros((len(frame), 0), dtype=np.int64)
        return ArrayInputs({"numbers": numbers, "categories": ids})

"""Learnt: features that read no label and learn from all known rows, such as the mean of a group."""

from abc import abstractmethod
from pathlib import Path
from typing import Self

import pandas as pd

from kit.core.files import read_json, write_json
from kit.core.spec import digest
from kit.features.base import Features, FittedFeatures
from kit.features.keys import load_arrays, save_arrays
from kit.rows import Rows
from kit.source import Arrays, Source
from kit.task import Task


class Learnt(Features):
    """Features that learn from all known rows without their labels, once for all folds, and keep what they learnt.

    New rows get their values from what was learnt, so the values of a row are the same among any other rows. Views of
    rows are not learnt from.
    """

    @abstractmethod
    def learn(self, source: Source, task: Task) -> Arrays:
        """What the original rows of a source teach.

        Raises:
            KitError: they have no column for it.
        """

    @abstractmethod
    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns (n, features) of rows: numbers, or strings for categories; each row by itself."""

    def learnt(self, rows: Rows) -> Arrays:
        """What the rows' source teaches, learnt once."""
        name = digest([self.key(), list(rows.task.text), list(rows.task.images)])[:16]
        return rows.source.once(f"learnt-{name}", lambda _: self.learn(rows.source, rows.task))

    def prepare(self, rows: Rows) -> None:
        self.learnt(rows)

    def fit_transform(self, train: Rows) -> "tuple[FittedFeatures, pd.DataFrame]":
        fitted = LearntFeatures(self, self.learnt(train))
        return fitted, fitted.transform(train)


class LearntFeatures(FittedFeatures):
    """What was learnt, and the settings that say how it is used."""

    def __init__(self, features: Learnt, learnt: Arrays) -> None:
        self.features, self.learnt = features, learnt

    def transform(self, rows: Rows) -> pd.DataFrame:
        return self.features.values(self.learnt, rows.frame)

    def save(self, folder: Path) -> None:
        write_json(folder / "features.json", self.features.to_dict())
        save_arrays(folder / "learnt.npz", self.learnt)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(Learnt.from_dict(read_json(folder / "features.json")), load_arrays(folder / "learnt.npz"))


def originals(source: Source) -> pd.DataFrame:
    """The rows of a source that are no views of others."""
    return source.frame.iloc[: source.originals]

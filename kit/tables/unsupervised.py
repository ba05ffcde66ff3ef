"""UnsupervisedFeatures: features that are learnt once from all rows, without labels, and then made of any rows."""

from abc import abstractmethod
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.files import read_json, replacing, write_json
from kit.core.spec import digest
from kit.features.base import Features, FittedFeatures
from kit.rows import Rows
from kit.source import Arrays, Source
from kit.tables.columns import Columns
from kit.task import Task


class UnsupervisedFeatures(Features):
    """Features that are learnt once from all rows (train, test and extra rows), without labels.

    A class of your own writes `learn`, `encode` and `units`. What is learnt is cached beside the rows, and is saved
    with each model: new rows are encoded by what was learnt from the old ones. Views of rows teach nothing.
    """

    seed: int = Field(0, ge=0, lt=2**32, description="seed of everything random")
    columns: tuple[str, ...] = Field((), description="names of the columns that are read; empty: all that fit")
    features: tuple[Features, ...] = Field((), description="features beside the columns, which read no label")

    @abstractmethod
    def learn(self, frame: pd.DataFrame, work: Path | None) -> Arrays:
        """What `encode` needs, as named arrays.

        Args:
            frame: all rows: numbers float64 with NaN, categories as pandas categories, under the names of the columns.
            work: folder for the state of a training that may be killed; None: there is none.
        """

    @abstractmethod
    def encode(self, learnt: Arrays, frame: pd.DataFrame) -> np.ndarray:
        """(n, k) float32 of rows, each by itself, of a frame as in `learn`."""

    @abstractmethod
    def units(self, learnt: Arrays, frame: pd.DataFrame) -> list[str]:
        """What each of the k columns is, for reports; the frame holds no rows."""

    def check(self, task: Task) -> None:
        for described in self.features:
            described.check(task)

    def learnt(self, rows: Rows) -> "FittedUnsupervised":
        """What is learnt from all rows of `rows.source`: learnt now, or kept from an earlier time.

        Raises:
            KitError: there is nothing to learn from, or a column that is not there.
        """
        source, task = rows.source, rows.task
        every = Rows(task, source, np.arange(source.originals))
        try:
            columns, frame = Columns.fit(every, self.features)
        except KitError as error:
            who = f"{type(self).__name__} learns once from all rows, without labels"
            raise KitError(f"{who}: {error}; its settings are columns and features that read no label") from None
        frame = self._chosen(columns, frame)
        name = f"learnt-{digest([self.key(), list(task.text), list(task.images)])[:16]}"
        return FittedUnsupervised(self, columns, source.learnt(name, lambda work: self.learn(frame, work)))

    def _chosen(self, columns: Columns, frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.set_axis(list(columns.names), axis=1)
        if lost := [name for name in self.columns if name not in frame]:
            known = ", ".join(columns.names[:10])
            raise KitError(f"{type(self).__name__}.columns: there is no column '{lost[0]}'; there are: {known}")
        return frame[list(self.columns)] if self.columns else frame

    def of(self, rows: Rows) -> np.ndarray:
        return self.learnt(rows).values(rows.source, rows.task)

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return self.of(Rows(task, source, np.arange(len(source.frame))))

    def names(self, rows: Rows) -> list[str]:
        return self.learnt(rows).names

    def prepare(self, rows: Rows) -> None:
        self.of(rows)

    def fit_transform(self, train: Rows) -> "tuple[FittedFeatures, pd.DataFrame]":
        fitted = self.learnt(train)
        return fitted, fitted.transform(train)


class FittedUnsupervised(FittedFeatures):
    """What was learnt from all rows of a source.

    Args:
        features: the settings.
        columns: how rows become the columns that were learnt from.
        arrays: the result of `features.learn`.
    """

    def __init__(self, features: UnsupervisedFeatures, columns: Columns, arrays: Arrays) -> None:
        self.features, self.columns, self.arrays = features, columns, arrays

    def frame(self, rows: Rows) -> pd.DataFrame:
        """The columns that were learnt from, of any rows."""
        return self.features._chosen(self.columns, self.columns.frame(rows))

    @property
    def names(self) -> list[str]:
        """What each column is."""
        return self.features.units(self.arrays, self.empty)

    @property
    def empty(self) -> pd.DataFrame:
        """The columns without rows."""
        kinds = self.columns.categories
        none = {name: pd.Categorical([], kinds[name]) if name in kinds else np.zeros(0) for name in self.columns.names}
        frame = pd.DataFrame(none)
        return frame[list(self.features.columns)] if self.features.columns else frame

    def values(self, source: Source, task: Task) -> np.ndarray:
        """(n, k) float32 of all rows of a source, computed once."""
        sums = [[name, sha256(array.tobytes()).hexdigest()] for name, array in sorted(self.arrays.items())]
        name = f"encoded-{digest([self.features.key(), list(task.text), sums])[:16]}"
        every = Rows(task, source, np.arange(len(source.frame)))
        return source.once(
            name, lambda _: {"values": self.features.encode(self.arrays, self.frame(every)).astype(np.float32)}
        )["values"]

    def transform(self, rows: Rows) -> pd.DataFrame:
        return pd.DataFrame(self.values(rows.source, rows.task)[rows.at], columns=self.names)

    def save(self, folder: Path) -> None:
        write_json(folder / "features.json", self.features.to_dict())
        (folder / "columns").mkdir()
        self.columns.save(folder / "columns")
        with replacing(folder / "learnt.npz") as path, open(path, "wb") as file:
            np.savez(file, **self.arrays)  # type: ignore[arg-type]  # numpy's stubs want other names

    @classmethod
    def load(cls, folder: Path) -> Self:
        features = UnsupervisedFeatures.from_dict(read_json(folder / "features.json"))
        with np.load(folder / "learnt.npz", allow_pickle=False) as arrays:
            return cls(features, Columns.load(folder / "columns"), dict(arrays))


def split(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The names of a frame's numbers, and of its categories."""
    kinds = list(frame.select_dtypes("category").columns)
    return [str(name) for name in frame if name not in kinds], kinds


def numbers_of(frame: pd.DataFrame) -> np.ndarray:
    """(n, numbers) float64."""
    return frame[split(frame)[0]].to_numpy(np.float64)


def codes_of(frame: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """(n, len(names)) int64 codes of categories; −1 is missing or not known."""
    codes = [frame[name].cat.codes.to_numpy(np.int64) for name in names]
    return np.stack(codes, axis=1) if codes else np.zeros((len(frame), 0), dtype=np.int64)

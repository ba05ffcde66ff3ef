"""Columns: plain columns and features as one frame of numbers and categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.core.classes import class_named
from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.features.base import Features, FittedFeatures
from kit.rows import Rows


@dataclass(frozen=True)
class Columns:
    """How rows become numbers and categories, fitted on train rows.

    Attributes:
        plain: names of the columns that are read as they are.
        categories: name of a column or feature → its values in train rows; other values count as missing.
        features: fitted.
        names: of all columns, in order, for reports.
    """

    plain: tuple[str, ...]
    categories: dict[str, list[str]]
    features: tuple[FittedFeatures, ...]
    names: tuple[str, ...]

    @classmethod
    def fit(cls, train: Rows, features: Sequence[Features] = (), plain: bool = True) -> tuple[Self, pd.DataFrame]:
        """Fits on train rows.

        Args:
            train: with labels, where some features read them; `train.columns` names the columns that stay.
            features: further columns.
            plain: whether the columns that are neither text nor pictures are read.

        Returns:
            The columns, and their frame of the train rows. It is not that of `frame`, where features are cross-fitted.

        Raises:
            KitError: there are neither columns nor features.
        """
        columns = tuple(train.task.tabular(train.source.frame.columns)) if plain else ()
        made = [described.fit_transform(train) for described in features]
        frame = _beside(_plain(train, columns), *(values for _, values in made))
        if not len(frame.columns):
            raise KitError(f"task '{train.task.name}' has no column to read: neither text nor any other input")
        if train.columns is not None:
            frame = frame[[name for name in frame.columns if name in train.columns]]
            if not len(frame.columns):
                raise KitError(f"none of the columns that were selected is there: {', '.join(train.columns[:5])}")
        words = [c for c in frame if not pd.api.types.is_numeric_dtype(frame[c])]
        categories = {str(c): sorted({*map(str, frame[c].dropna().unique())}) for c in words}
        found = cls(columns, categories, tuple(fitted for fitted, _ in made), tuple(frame.columns))
        return found, found._typed(frame)

    def frame(self, rows: Rows) -> pd.DataFrame:
        """The columns of rows that were not fitted on, float or categorical, in the order of `names`."""
        return self._typed(_beside(_plain(rows, self.plain), *(fitted.transform(rows) for fitted in self.features)))

    def _typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns = list[Any]()
        for name in self.names:
            if name in self.categories:
                values = frame[name].map(str, na_action="ignore")
                columns.append(pd.Categorical(values.where(values.isin(self.categories[name])), self.categories[name]))
            else:
                columns.append(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        # LightGBM refuses some names ("size, m") and confuses others ("a b" and "a_b"): it gets numbered names
        return pd.DataFrame({f"column{i}": column for i, column in enumerate(columns)})

    def save(self, folder: Path) -> None:
        """Writes `columns.json`, and a folder for each of the features."""
        kinds = [type(fitted).__name__ for fitted in self.features]
        own = {"plain": self.plain, "categories": self.categories, "names": self.names, "features": kinds}
        write_json(folder / "columns.json", own)
        for i, fitted in enumerate(self.features):
            (folder / f"features{i}").mkdir()
            fitted.save(folder / f"features{i}")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            KitError: neither kit nor this process has fitted features of a saved name.
        """
        saved = read_json(folder / "columns.json")
        features = tuple(
            class_named(kind, FittedFeatures).load(folder / f"features{i}") for i, kind in enumerate(saved["features"])
        )
        return cls(tuple(saved["plain"]), saved["categories"], features, tuple(saved["names"]))


def _plain(rows: Rows, columns: Sequence[str]) -> pd.DataFrame:
    """A copy of some columns of the rows."""
    frame = rows.source.frame
    if len(rows) == len(frame) and np.array_equal(rows.at, np.arange(len(frame))):
        return frame[list(columns)]
    seen = frame if list(columns) == list(frame.columns) else frame[list(columns)]
    return seen.iloc[rows.at]


def _beside(*frames: pd.DataFrame) -> pd.DataFrame:
    """Frames of the same rows side by side; a name that occurs again gets a number."""
    parts = [frame.copy(deep=False) for frame in frames if len(frame.columns)] or [frames[0].copy(deep=False)]
    for part in parts:
        part.index = pd.RangeIndex(len(part))
    joined = pd.concat(parts, axis=1) if len(parts) > 1 else parts[0]
    seen: dict[str, int] = {}
    names = []
    for name in map(str, joined.columns):
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    joined.columns = pd.Index(names)
    return joined

"""Columns: plain columns and features as one frame of numbers and categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.rows import Rows
from kit.tables.features import Features
from kit.task import Task


@dataclass(frozen=True)
class Columns:
    """The categories of the columns that are not text, from train rows.

    Attributes:
        categories: column → its values; other values count as missing.
    """

    categories: dict[str, list[str]]

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """The categories of these rows."""
        frame = rows.frame
        names = [c for c in _plain(rows.task, frame) if not pd.api.types.is_numeric_dtype(frame[c])]
        return cls({c: sorted({*map(str, frame[c].dropna().unique())}) for c in names})

    def frame(self, rows: Rows, features: Sequence[Features] = (), plain: bool = True) -> pd.DataFrame:
        """One column for each plain column, float or categorical, and for each feature.

        Raises:
            KitError: there are neither columns nor features.
        """
        frame, columns = rows.frame, list[Any]()
        for name in _plain(rows.task, frame) if plain else ():
            if name in self.categories:
                values = frame[name].map(str, na_action="ignore")
                columns.append(pd.Categorical(values.where(values.isin(self.categories[name])), self.categories[name]))
            else:
                columns.append(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        for described in features:
            columns += list(described.of(rows)[rows.at].T)
        if not columns:
            raise KitError(f"task '{rows.task.name}' has no column to read: neither text nor any other input")
        # LightGBM refuses some names ("size, m") and confuses others ("a b" and "a_b"): it gets numbered names
        return pd.DataFrame({f"column{i}": column for i, column in enumerate(columns)})


def _plain(task: Task, frame: pd.DataFrame) -> list[str]:
    return task.tabular(frame.columns)

"""Columns: the frame of plain columns and features that tables are learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.data import Rows, Task
from kit.features.base import Features
from kit.spec import KitError


@dataclass(frozen=True)
class Columns:
    """What the train rows say of the columns that are not text.

    Attributes:
        categories: the values of each column that is not numeric; others count as missing.
    """

    categories: dict[str, list[str]]

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """What these rows hold."""
        frame = rows.frame
        names = [c for c in _plain(rows.task, frame) if not pd.api.types.is_numeric_dtype(frame[c])]
        return cls({c: sorted(map(str, frame[c].dropna().unique())) for c in names})

    def frame(self, rows: Rows, features: Sequence[Features] = ()) -> pd.DataFrame:
        """One column for each plain column, float or categorical, and for each feature.

        Raises:
            KitError: there is neither.
        """
        frame, columns = rows.frame, list[Any]()
        for name in _plain(rows.task, frame):
            if name in self.categories:
                values = frame[name].map(str, na_action="ignore")
                columns.append(pd.Categorical(values.where(values.isin(self.categories[name])), self.categories[name]))
            else:
                columns.append(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        for described in features:
            columns += list(described.of(rows)[rows.at].T)
        if not columns:
            raise KitError(f"task '{rows.task.name}' has no column that can be used: no text and no other input")
        # LightGBM refuses some names ("size, m") and takes others for the same ("a b", "a_b"): it gets numbers
        return pd.DataFrame({f"column{i}": column for i, column in enumerate(columns)})


def _plain(task: Task, frame: pd.DataFrame) -> list[str]:
    return [c for c in frame.columns if c not in task.text]

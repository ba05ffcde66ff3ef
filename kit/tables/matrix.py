"""Matrix: columns as one array of numbers, for models that know neither categories nor missing values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, hstack

from kit.core.files import read_json, write_json
from kit.features.base import Features
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.tables.scaling import Scaling


@dataclass(frozen=True)
class Matrix:
    """How rows become numbers, fitted on train rows.

    Numbers are scaled, missing ones 0; a category is one column a value (one-hot), all 0 where the value is missing or
    new.

    Attributes:
        columns: numbers and categories, features among them.
        scaling: of the numbers.
    """

    columns: Columns
    scaling: Scaling

    @classmethod
    def fit(cls, train: Rows, features: Sequence[Features] = (), plain: bool = True) -> "tuple[Self, csr_array]":
        """Fits on train rows; gives the matrix, and its (n, columns) float64 of these rows.

        Args:
            train: with labels, where some features read them.
            features: further columns.
            plain: whether the columns that are neither text nor pictures are read.
        """
        columns, frame = Columns.fit(train, features, plain)
        found = cls(columns, Scaling.of(frame.select_dtypes("number").to_numpy(np.float64)))
        return found, found.joined(frame)

    def transform(self, rows: Rows) -> csr_array:
        """(n, columns) float64, finite, of rows that were not fitted on; of categories, only the ones are stored."""
        return self.joined(self.columns.frame(rows))

    def joined(self, frame: pd.DataFrame) -> csr_array:
        """(n, columns) float64 of a frame of these columns."""
        numbers = self.scaling.transform(frame.select_dtypes("number").to_numpy(np.float64))
        kinds = [_one_hot(frame[name].cat) for name in frame.select_dtypes("category")]
        return csr_array(hstack([csr_array(numbers), *kinds], format="csr"))

    def save(self, folder: Path) -> None:
        """Writes columns and scales into an existing folder."""
        self.columns.save(folder)
        write_json(folder / "scaling.json", self.scaling.to_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        return cls(Columns.load(folder), Scaling.from_dict(read_json(folder / "scaling.json")))


def _one_hot(category: Any) -> csr_array:
    codes, rows = category.codes.to_numpy(), np.arange(len(category.codes))
    known = codes >= 0
    shape = (len(codes), len(category.categories))
    return csr_array((np.ones(known.sum()), (rows[known], codes[known])), shape=shape)

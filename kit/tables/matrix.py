"""Matrix: columns as one array of numbers, for models that know neither categories nor missing values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, hstack

from kit.rows import Rows
from kit.tables.columns import Columns
from kit.tables.features import Features
from kit.tables.scaling import Scaling


@dataclass(frozen=True)
class Matrix:
    """How columns become numbers, learnt from train rows.

    Numbers are scaled, missing ones 0; a category is one column a value (one-hot), all 0 where the value is missing or
    new.

    Attributes:
        columns: the values of each category.
        scaling: of the numbers.
        features: further numbers beside the plain columns.
        plain: whether the columns that are not text are read.
    """

    columns: Columns
    scaling: Scaling
    features: tuple[Features, ...] = ()
    plain: bool = True

    @classmethod
    def of(cls, rows: Rows, features: Sequence[Features] = (), plain: bool = True) -> Self:
        """Categories and scales of these rows."""
        columns = Columns.of(rows) if plain else Columns({})
        numbers = columns.frame(rows, features, plain).select_dtypes("number").to_numpy(np.float64)
        return cls(columns, Scaling.of(numbers), tuple(features), plain)

    def transform(self, rows: Rows) -> np.ndarray:
        """(n, columns) float64, finite."""
        return np.asarray(self._joined(rows).toarray(), np.float64)

    def sparse(self, rows: Rows) -> csr_array:
        """(n, columns) float32: of categories, only the ones are stored."""
        return self._joined(rows).astype(np.float32)

    def _joined(self, rows: Rows) -> csr_array:
        frame = self.columns.frame(rows, self.features, self.plain)
        numbers = self.scaling.transform(frame.select_dtypes("number").to_numpy(np.float64))
        kinds = [_one_hot(frame[name].cat) for name in frame.select_dtypes("category")]
        return csr_array(hstack([csr_array(numbers), *kinds], format="csr"))

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        features = [described.to_dict() for described in self.features]
        own = {"categories": self.columns.categories, "features": features, "plain": self.plain}
        return own | self.scaling.to_dict()

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """What gave this `to_dict`."""
        features = tuple(Features.from_dict(described) for described in saved["features"])
        return cls(Columns(saved["categories"]), Scaling.from_dict(saved), features, saved["plain"])


def _one_hot(category: Any) -> csr_array:
    codes, rows = category.codes.to_numpy(), np.arange(len(category.codes))
    known = codes >= 0
    shape = (len(codes), len(category.categories))
    return csr_array((np.ones(known.sum()), (rows[known], codes[known])), shape=shape)

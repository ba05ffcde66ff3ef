"""Encoding of original columns for a Stack, learnt from its train rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.core.errors import KitError

LEVELS = 50  # categories of a column that have a code of their own: the most frequent
MANY = 100  # values, of more of which at least one is known; else the column is not what was learnt


@dataclass(frozen=True)
class ColumnEncoding:
    """How one column is encoded.

    Attributes:
        name: name of the column.
        median: replaces missing numbers.
        gaps: whether numbers were missing; then a further input shows where.
        values: categories that have a code, as strings; None for a numeric column.
    """

    name: str
    median: float = 0.0
    gaps: bool = False
    values: tuple[str, ...] | None = None

    @classmethod
    def of(cls, column: pd.Series) -> Self:
        """Learnt from these values."""
        if _countable(column):
            x = numbers(column)
            known = x[~np.isnan(x)]
            return cls(str(column.name), float(np.median(known)) if len(known) else 0.0, len(known) < len(x))
        counts = column.astype(object).map(category_text, na_action="ignore").value_counts()
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return cls(str(column.name), values=tuple(str(value) for value, _ in ranked[:LEVELS]))

    def inputs(self, coded: bool) -> tuple[str, ...]:
        """Names of the inputs that the column becomes."""
        if self.values is None:
            return (self.name, f"{self.name} missing") if self.gaps and not coded else (self.name,)
        return (self.name,) if coded else tuple(f"{self.name}={value}" for value in self.values)

    def encode(self, column: pd.Series, coded: bool) -> np.ndarray:
        """(n, inputs). One-hot: missing and rare categories are 0 everywhere. Coded: one input, in which they are NaN.

        Raises:
            KitError: there are more than MANY values, and none of them is a learnt one.
        """
        if self.values is None:
            x = numbers(column if _countable(column) else pd.to_numeric(column, errors="coerce"))
            self._check_known(column, ~np.isnan(x))
            if coded:
                return x[:, None]
            filled = np.where(np.isnan(x), self.median, x)
            return np.column_stack([filled, np.isnan(x)]) if self.gaps else filled[:, None]
        written = column.astype(object).map(category_text, na_action="ignore")
        codes = pd.Categorical(written, list(self.values)).codes
        self._check_known(column, codes >= 0)
        if coded:
            return np.where(codes < 0, np.nan, codes)[:, None]
        return (codes[:, None] == np.arange(len(self.values))).astype(float)

    def _check_known(self, column: pd.Series, known: np.ndarray) -> None:
        if known.any():
            return
        given = column.dropna()  # a column may be missing in a whole fold; then it is filled
        if len(given) > MANY:
            learnt = "numbers" if self.values is None else f"categories such as '{(*self.values, '')[0]}'"
            raise KitError(
                f"Stack: column '{self.name}' was learnt as {learnt}, but none of these {len(given)} values is known, "
                f"such as '{given.iloc[0]}'; write it the same way in all files, or leave it out"
            )


@dataclass(frozen=True)
class TableEncoding:
    """How several columns are encoded.

    Attributes:
        columns: one entry for each column.
        coded: for trees: categories are codes, and missing values are NaN; else categories are one-hot, and missing
            numbers are filled.
    """

    columns: tuple[ColumnEncoding, ...] = ()
    coded: bool = False

    @classmethod
    def of(cls, names: Sequence[str], frame: pd.DataFrame | None, coded: bool) -> Self:
        """Learnt from the columns of these names in these rows."""
        return cls(tuple(map(ColumnEncoding.of, _present(names, frame))), coded) if names else cls()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all inputs, in the order of `encode`."""
        return tuple(name for column in self.columns for name in column.inputs(self.coded))

    @property
    def codes(self) -> tuple[int, ...]:
        """Positions of the inputs that are codes of categories."""
        return tuple(i for i, column in enumerate(self.columns) if self.coded and column.values is not None)

    def encode(self, frame: pd.DataFrame | None, n: int) -> np.ndarray:
        """(n, inputs).

        Raises:
            KitError: a column is missing, or the frame has another number of rows.
        """
        if not self.columns:
            return np.empty((n, 0))
        present = _present([column.name for column in self.columns], frame)
        if len(present[0]) != n:
            raise KitError(f"Stack: {n} rows of predictions, but columns of {len(present[0])} rows")
        pairs = zip(self.columns, present, strict=True)
        return np.column_stack([column.encode(values, self.coded) for column, values in pairs])

    def to_list(self) -> list[dict[str, Any]]:
        """One entry for each column, as JSON values."""
        return [
            {"name": c.name, "values": list(c.values)}
            if c.values is not None
            else {"name": c.name, "median": c.median, "gaps": c.gaps}
            for c in self.columns
        ]

    @classmethod
    def from_list(cls, saved: list[dict[str, Any]], coded: bool) -> Self:
        """The encoding that `to_list` described."""
        columns = [
            ColumnEncoding(f["name"], values=tuple(f["values"]))
            if "values" in f
            else ColumnEncoding(f["name"], f["median"], f["gaps"])
            for f in saved
        ]
        return cls(tuple(columns), coded and bool(columns))


def numbers(column: pd.Series) -> np.ndarray:
    """(n,) floats; infinite ones count as missing. Times become days since 1970, time differences become days."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = pd.to_datetime(column, utc=True) - pd.Timestamp(0, tz="UTC")
    if pd.api.types.is_timedelta64_dtype(column):
        column = column.dt.total_seconds() / 86_400
    x = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(x), x, np.nan)


def category_text(value: Any) -> str:
    """A category as text; 7.0 is 7, because pandas makes floats of whole numbers if one is missing."""
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else str(value)


def _countable(column: pd.Series) -> bool:
    kinds = pd.api.types
    return bool(
        kinds.is_numeric_dtype(column) or kinds.is_datetime64_any_dtype(column) or kinds.is_timedelta64_dtype(column)
    )


def _present(names: Sequence[str], frame: pd.DataFrame | None) -> list[pd.Series]:
    if frame is None:
        raise KitError(f"Stack also reads the columns {', '.join(names)}; pass them as columns")
    if missing := [name for name in names if name not in frame.columns]:
        raise KitError(f"Stack: column '{missing[0]}' is missing; there are: {', '.join(map(str, frame.columns))}")
    return [frame[name] for name in names]

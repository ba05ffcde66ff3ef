"""Cells: the values of a column, written in the same way whatever file or frame they come from."""

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

# What counts as missing in columns that are not text. In text only the empty field is missing: "None" is a word.
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>", "None", "-nan", "-NaN"]
UNMIXED = ("string", "integer", "floating", "boolean", "datetime64", "datetime", "empty")
EXACT = 2.0**53  # whole floats below this are written without a decimal point


def cell_text(value: Any) -> str | None:
    """A cell as a string; None if it is missing.

    `7.0` is "7", True is "True", a date is written as in ISO 8601, and the items of a list are joined by commas.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(text for item in value if (text := cell_text(item)) is not None)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if value is None or pd.isna(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        whole = math.isfinite(number) and number.is_integer() and abs(number) < EXACT
        return str(int(number)) if whole else repr(number)
    if isinstance(value, datetime.datetime):  # pandas' Timestamp is one
        return value.isoformat(sep=" ")
    return str(value)


def well_formed(column: pd.Series) -> pd.Series:
    """The column without lone halves of surrogate pairs: they are no characters, and pyarrow refuses them.

    They occur as escapes in JSON, and in broken texts. Each becomes U+FFFD, the replacement character.
    """
    if column.dtype != object:
        return column
    values = column.tolist()
    try:
        "".join([value for value in values if isinstance(value, str)]).encode()
    except UnicodeEncodeError:
        return pd.Series([_well_formed(value) for value in values], index=column.index, name=column.name, dtype=object)
    return column


def well_formed_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without halves of surrogate pairs; itself where there are none, or a column occurs twice."""
    if not frame.columns.is_unique:  # refused later
        return frame
    columns = {str(c): (frame[c], well_formed(frame[c])) for c in frame if frame[c].dtype == object}
    mended = {c: after for c, (before, after) in columns.items() if after is not before}
    return frame.assign(**mended) if mended else frame


def _well_formed(value: Any) -> Any:
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


def strings_at(values: Sequence[str | None], codes: np.ndarray) -> Any:
    """(n,) strings in pandas' own type: the value at each of these positions; missing at -1."""
    return pd.Series([*values, None], dtype=None if any(value is not None for value in values) else object).array.take(
        np.where(codes < 0, len(values), codes)
    )


@dataclass(frozen=True)
class Cells:
    """One column of one file or frame.

    Attributes:
        name: name of the file.
        column: the values, as they were read.
        ids: ids of the rows, for notes; None: rows are numbered.
    """

    name: str
    column: pd.Series
    ids: pd.Series | None = None

    @cached_property
    def numeric(self) -> bool:
        """Whether all values are numbers already, or all are missing."""
        kinds, dtype = pd.api.types, self.column.dtype
        plain = kinds.is_numeric_dtype(dtype) and not kinds.is_bool_dtype(dtype) and not kinds.is_complex_dtype(dtype)
        return bool(plain or kinds.is_timedelta64_dtype(dtype)) or not self.column.notna().any()

    @property
    def categorical(self) -> bool:
        """Whether the column of a frame has the type category."""
        return isinstance(self.column.dtype, pd.CategoricalDtype)

    @property
    def floats(self) -> np.ndarray:
        """(n,) float64 of a numeric column; time differences are in days."""
        column = self.column
        if pd.api.types.is_timedelta64_dtype(column.dtype):
            column = column.dt.total_seconds() / 86_400
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
            return column.to_numpy(np.float64)
        return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)

    @cached_property
    def found(self) -> tuple[np.ndarray, list[str]]:
        """(n,) positions in the different values, -1 for a missing cell; and these values, without outer blanks."""
        column = self.column
        if self.categorical:
            column = column.astype(object)
        plain = isinstance(column.dtype, pd.StringDtype)
        if not plain and pd.api.types.infer_dtype(column, skipna=True) not in UNMIXED:
            column = pd.Series([cell_text(value) for value in column], dtype=object)  # 1 and True are equal to pandas
        codes, values = pd.factorize(column)
        texts = [(cell_text(value) or "").strip() for value in values]
        names: dict[str, int] = {}
        places = [-1 if text in MISSING else names.setdefault(text, len(names)) for text in texts]
        return np.array([*places, -1], dtype=np.int64)[codes], list(names)

    @property
    def codes(self) -> np.ndarray:
        """(n,) positions in `values`, -1 for a missing cell."""
        return self.found[0]

    @property
    def values(self) -> list[str]:
        """The different values as strings."""
        return self.found[1]

    @cached_property
    def counts(self) -> np.ndarray:
        """(values,) number of rows with each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    @property
    def count(self) -> int:
        """Number of rows with a value."""
        return int(self.column.notna().sum()) if self.numeric else int(self.counts.sum())

    def at(self, row: int) -> str:
        """Names a row for a note: by its id, or by its number."""
        return f"row {row}" if self.ids is None else f"id {self.ids.iloc[row]}"

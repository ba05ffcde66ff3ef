"""Types of a side table's columns, and the expressions that read them."""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.lazy import later
from kit.schema.cells import MISSING, Cells, cell_text
from kit.schema.column import Column, decimal_in, type_of, typed_column

if TYPE_CHECKING:
    import polars as pl
else:
    pl = later("polars")

FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DATE, TIME = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
MICROSECONDS = 86_400_000_000  # of a day


def typed_by(values: pd.Series, stated: str | None, usual: str = ".") -> dict[str, Any]:
    """The type of a column, by some of its cells as strings, in JSON values.

    `how` says how cells are read: "float" where polars parses them, "day" and "second" for ISO 8601, else "cells",
    which is slower and knows all that kit knows of numbers, booleans and dates.
    """
    cells = Cells("", values)
    sign = decimal_in([cells], usual)  # type: ignore[arg-type]
    kind = stated or type_of([cells], sign)
    if kind == "text":
        kind = "category"
    column = typed_column(kind, [cells], sign)  # type: ignore[arg-type]
    how = "cells"
    known = [value for value in cells.values if value]
    if kind == "number" and all(map(FLOAT.fullmatch, _fitting(known, column, cells))):
        how = "float"
    elif kind == "date" and all(map(DATE.fullmatch, known)):
        how = "day"
    elif kind == "date" and all(map(TIME.fullmatch, known)):
        how = "second"
    blanks = kind == "category" and any(str(value) != str(value).strip() for value in values.unique())
    return {"type": kind, "decimal": column.decimal, "order": column.order, "how": how, "blanks": blanks}


def _fitting(known: Sequence[str], column: Column, cells: Cells) -> list[str]:
    """The values that are numbers; a column without any is one of numbers that are all missing."""
    if cells.numeric:
        return []
    numbers = column.numbers(Cells("", pd.Series(list(known), dtype=object)))
    return [value for value, number in zip(known, numbers, strict=True) if not np.isnan(number)]


def types_of_text(sample: bytes, names: Sequence[str], separator: str, stated: dict[str, str]) -> dict[str, Any]:
    """Column → its type, by the lines of a sample; lines with too many fields are left out."""
    text = io.BytesIO(sample)
    frame = pd.read_csv(
        text, names=list(names), header=None, sep=separator, dtype=str, keep_default_na=False, on_bad_lines="skip",
        encoding="utf-8", encoding_errors="replace", index_col=False,
    )  # fmt: skip
    usual = "," if separator == ";" else "."
    return {name: typed_by(frame[name].dropna(), stated.get(name), usual) for name in names}


def to_polars(name: str, frame: pd.DataFrame) -> "pl.DataFrame":
    """A frame of pandas, without a way through pyarrow; what is neither number nor date becomes strings."""
    found = dict[str, Any]()
    for column in map(str, frame.columns):
        values = frame[column]
        if pd.api.types.is_bool_dtype(values.dtype) and not values.hasnans:
            found[column] = pl.Series(values.to_numpy(dtype=np.float64))
        elif pd.api.types.is_integer_dtype(values.dtype) and not values.hasnans:
            found[column] = pl.Series(values.to_numpy(dtype=np.int64))
        elif pd.api.types.is_numeric_dtype(values.dtype):
            found[column] = pl.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), nan_to_null=True)
        elif pd.api.types.is_datetime64_any_dtype(values.dtype):
            plain = values.dt.tz_convert(None) if getattr(values.dt, "tz", None) else values
            found[column] = pl.Series(plain.to_numpy("datetime64[us]"))
        else:
            codes, texts = pd.factorize(values.astype(object))
            words = np.array([*map(cell_text, texts), None], dtype=object)
            found[column] = pl.Series(words[codes].tolist(), dtype=pl.String)
    if len(found) < len(frame.columns):
        raise KitError(f"side '{name}': a column occurs twice")
    return pl.DataFrame(found)


def native_types(schema: Any) -> dict[str, dict[str, Any]]:
    """Column → its type, for columns of a Parquet file or a frame that are no strings."""
    found = {}
    for name, dtype in schema.items():
        if dtype.is_numeric() or dtype == pl.Boolean or dtype == pl.Null:
            found[name] = {"type": "number", "how": "float"}
        elif dtype.is_temporal():
            found[name] = {"type": "date", "how": "native"}
    return found


def expression(
    name: str, column: dict[str, Any], missing: Sequence[int | float | str], raw: bool = False, nan: bool = True
) -> "pl.Expr":
    """A column as numbers (dates are days since 1970, yes is 1, no is 0) or, a category, as strings.

    Args:
        name: of the column.
        column: its type, see `typed_by`.
        missing: numbers and words that mean "not known".
        raw: leave such words as they are, which is faster where categories are only compared with known values.
        nan: whether numbers may be NaN, which counts as missing.
    """
    cell = pl.col(name)
    if column["type"] == "category":
        words = [*MISSING, *(str(value) for value in missing)]
        cell = cell.cast(pl.String)
        if column.get("blanks", True):
            cell = cell.str.strip_chars()
        if raw:
            return cell.alias(name)
        return pl.when(~cell.is_in(words)).then(cell).alias(name)
    how = column["how"]
    if how == "native":
        cell = cell.cast(pl.Datetime("us")).dt.epoch("us") / MICROSECONDS
    elif how in ("day", "second"):
        form = "%Y-%m-%d" if how == "day" else "%Y-%m-%d %H:%M:%S"
        cell = cell.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") / MICROSECONDS
    elif how == "cells":
        kind = Column(column["type"], column["decimal"], column["order"])
        cell = cell.map_batches(lambda words: _read(kind, words), return_dtype=pl.Float64, is_elementwise=True)
    cell = cell.cast(pl.Float64, strict=False)
    if nan or how == "cells":
        cell = cell.fill_nan(None)
    if numbers := [float(value) for value in missing if not isinstance(value, str)]:
        cell = pl.when(~cell.is_in(numbers)).then(cell)
    return cell.alias(name)


def _read(column: Column, words: "pl.Series") -> "pl.Series":
    cells = Cells("", pd.Series(words.to_list(), dtype=object))
    if column.type != "date":
        return pl.Series(column.numbers(cells), dtype=pl.Float64)
    dates = column.dates(cells)
    days = np.where(np.isnat(dates), np.nan, dates.astype(np.int64) / MICROSECONDS)
    return pl.Series(days, dtype=pl.Float64)

"""Column: its type, decided over all files together, and its cells in this type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from kit.schema.cells import Cells, strings_at
from kit.schema.dates import Order, days_since, order_of, parsed_dates, parts_of
from kit.schema.numbers import LEADING_ZEROS, Decimal, decimal_of, parsed_numbers, plain_number

ColumnType = Literal["number", "category", "boolean", "date", "text", "image"]

FITS = 0.95  # if this share of a column's rows are numbers (or dates), the other values count as missing
FITS_FILE = 0.5  # the same for the rows of each file
CODES = 0.01  # if this share of whole numbers has leading zeros, as in 007, they are codes
# these mean "not known" among numbers and dates, in any number
PLACEHOLDERS = {"?", "-", "--", "—", "–", ".", "*", "unknown", "missing", "n.a.", "not available", "nil", "none", "na"}
FEW_WORDS = 12  # different spellings of yes and no in a file, at most
TRUTH = [("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n")]


@dataclass(frozen=True)
class Column:
    """Type of a column, and how its numbers and dates are written.

    Attributes:
        type: type of all its cells.
        decimal: decimal sign of its numbers.
        order: whether day or month comes first in dates such as 03/04/2020.
        first: its first date, in ISO 8601; days are counted from it.
        parts: parts of its dates (year, month, …) that differ between rows.
    """

    type: ColumnType
    decimal: Decimal = "."
    order: Order = "day"
    first: str = ""
    parts: tuple[str, ...] = ()

    def numbers(self, cells: Cells) -> np.ndarray:
        """(n,) float64 of numbers and booleans; NaN if a cell is missing or does not fit the type."""
        if cells.numeric and self.type == "number":
            return cells.floats
        values = truths(cells.values) if self.type == "boolean" else parsed_numbers(cells.values, self.decimal)
        return np.append(values, np.nan)[cells.codes]

    def dates(self, cells: Cells) -> np.ndarray:
        """(n,) datetime64[us] of dates; NaT if a cell is missing or does not fit the type."""
        return np.append(parsed_dates(cells.values, self.order), np.datetime64("NaT", "us"))[cells.codes]

    def categories(self, cells: Cells) -> Any:
        """(n,) strings, missing if the cell is missing: 7.0 is "7", TRUE is "True"."""
        return strings_at([*map(same_word, cells.values)], cells.codes)

    def columns(self, name: str, dates: pd.Series) -> dict[str, np.ndarray]:
        """Dates as columns of numbers: days since the first, and the parts that differ."""
        found = parts_of(dates)
        return {name: days_since(dates, self.first), **{f"{name} {part}": found[part] for part in self.parts}}


def same_word(value: str) -> str:
    """A value of a category in the one form for all its spellings: `TRUE` is "True", `7.0` is "7"."""
    lower = value.lower()
    return lower.capitalize() if lower in TRUTH[0] else plain_number(value)


def truths(values: Sequence[str]) -> np.ndarray:
    """(values,) 1 for yes, 0 for no, NaN for anything else."""
    known = {word: float(i == 0) for pair in TRUTH for i, word in enumerate(pair)} | {"1": 1.0, "0": 0.0}
    return np.array([known.get(plain_number(value).lower(), np.nan) for value in values], dtype=np.float64)


def type_of(files: Sequence[Cells], decimal: Decimal, fits_file: float = FITS_FILE) -> ColumnType:
    """The type of a column that is not text, by its cells in all files.

    Args:
        files: the cells of the column in each file.
        decimal: decimal sign of its numbers.
        fits_file: share of each file's rows that must fit the type.
    """
    if all(cells.numeric for cells in files):
        return "number"
    if _is_boolean(files):
        return "boolean"
    if not any(cells.numeric and cells.count for cells in files):
        order, _ = order_of([value for cells in files for value in cells.values])
        if _fit(files, [~np.isnat(parsed_dates(cells.values, order)) for cells in files], fits_file):
            return "date"
    if are_codes(files):
        return "category"
    fitting = [None if cells.numeric else ~np.isnan(parsed_numbers(cells.values, decimal)) for cells in files]
    return "number" if _fit(files, fitting, fits_file) else "category"


def _is_boolean(files: Sequence[Cells]) -> bool:
    """Whether all values are words of one pair, or 1 and 0; both words must occur, except for true and false."""
    if sum(len(cells.values) for cells in files if not cells.numeric) > FEW_WORDS * len(files):
        return False
    words = {same_word(value).lower() for cells in files for value in cells.values}
    return any(
        words & {*pair} and words <= {*pair, "1", "0"} and ({*pair} <= words or pair == TRUTH[0]) for pair in TRUTH
    )


def _fit(files: Sequence[Cells], fitting: Sequence[np.ndarray | None], fits_file: float) -> bool:
    """Whether enough rows fit: in all files together, and in each file."""
    fit, known = 0, 0
    for cells, good in zip(files, fitting, strict=True):
        if good is None:
            fit, known = fit + cells.count, known + cells.count
            continue
        odd = np.array([value.lower() in PLACEHOLDERS for value in cells.values], dtype=bool)
        of_file, of_known = int(cells.counts[good].sum()), int(cells.counts[good | ~odd].sum())
        if of_file < fits_file * of_known:
            return False
        fit, known = fit + of_file, known + of_known
    return bool(fit) and fit >= FITS * known


def are_codes(files: Sequence[Cells]) -> bool:
    """Whether the numbers are codes with leading zeros: all of one length, or enough of them with zeros."""
    zeros, lengths, rows = 0, set[int](), 0
    for cells in files:
        if cells.numeric and not cells.count:
            continue
        for value, count in zip(cells.values, cells.counts, strict=True):
            if value.isdigit():
                zeros += int(count) if LEADING_ZEROS.fullmatch(value) else 0
                lengths.add(len(value))
            elif "." in value:
                return False
            rows += int(count)
    return zeros > 0 and (len(lengths) == 1 or zeros >= CODES * rows)


def decimal_in(files: Sequence[Cells], usual: Decimal) -> Decimal:
    """The decimal sign of a column: what its values show, else the usual one of the files."""
    return decimal_of([value for cells in files if not cells.numeric for value in cells.values]) or usual


def typed_column(type_: ColumnType, files: Sequence[Cells], decimal: Decimal) -> Column:
    """A column of this type, with what its cells say of signs, order and first date."""
    if type_ != "date":
        return Column(type_, decimal)
    order, _ = order_of([value for cells in files for value in cells.values])
    found = Column("date", order=order)
    dates = pd.Series(np.concatenate([found.dates(cells) for cells in files]))
    known = dates.dropna()
    first = "1970-01-01" if known.empty else known.min().isoformat()
    parts = tuple(part for part, values in parts_of(known).items() if len(np.unique(values)) > 1)
    return Column("date", order=order, first=first, parts=parts)

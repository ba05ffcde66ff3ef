"""Delimited text as a frame; a file with incomplete rows is refused."""

import csv
import io
import re
import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError, shown
from kit.reading.bytes import count_separators, holds_codes
from kit.reading.form import SIGNS, Form
from kit.reading.layout import Layout, layout_of, records, refuse_separator
from kit.reading.phrases import some
from kit.schema.cells import MISSING

# before 3.1 pandas' usual way to read a float is the fast one, wrong in the last place; now it is exact
FLOATS: dict[str, Any] = {} if int(pd.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}
UNNAMED = re.compile(r"(Unnamed: \d+)?")  # what to_csv and read_csv make of an index


def read_delimited(
    path: Path,
    data: bytes,
    form: Form,
    known: Sequence[str],
    as_strings: Callable[[Sequence[str]], Collection[str]],
    words: Collection[str],
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a text, and notes about what is unusual in it.

    Columns of numbers are float64 or int64. Others are strings as written, and so are numbers whose form means more
    (007, or 1.234 if the decimal sign is a comma).

    Args:
        path: the file, for errors.
        data: the text in UTF-8.
        form: format of the file.
        known: columns that the task names, its id first.
        as_strings: names of all columns → those that are read as strings.
        words: columns in which only the empty field counts as missing.

    Raises:
        KitError: a row has more or fewer fields than the header, or a column occurs twice.
    """
    if not form.quotes:
        return _read_lines(path, data, form, as_strings, words)
    layout = layout_of(path, data[: 1 << 18].decode("utf-8", errors="ignore"), form, known)
    names, notes = _named(path, layout)
    plain = as_strings(names)
    left_out = set(names) - set(layout.names)
    start = len(data[: 1 << 18].decode("utf-8", errors="ignore")[: layout.start].encode())
    body = data[start:]
    arguments: dict[str, Any] = {"sep": layout.separator, "header": None, "names": names}
    try:
        frame = _parsed(body, plain, words, **arguments)
    except pd.errors.EmptyDataError:
        raise KitError(f"{path.name}: the file has a header but no rows") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _refuse_uneven(path, body, layout)
        raise KitError(f"{path.name}: not a whole CSV file: {str(error).strip().splitlines()[-1]}") from None
    if len(names) > 1 and frame[_last(layout, names)].isna().any() and not _are_even(frame, body, layout.separator):
        _refuse_uneven(path, body, layout)
    frame = _with_written_form(frame, body, layout.separator, plain, arguments)
    noted = [*layout.notes, *notes]
    if layout.separator != (form.separator or ","):
        noted.insert(0, f"separated by {SIGNS[layout.separator]}")
    return frame.drop(columns=list(left_out)), noted


def _last(layout: Layout, names: list[str]) -> str:
    """The last column that has a name: in an incomplete row it is empty."""
    return next((name for name in reversed(names) if name in layout.names), names[-1])


def _named(path: Path, layout: Layout) -> tuple[list[str], list[str]]:
    """Names for all columns, and a note about those without a name, which are left out."""
    names = list(layout.names)
    if twice := [name for i, name in enumerate(names) if name and name in names[:i]]:
        raise KitError(f"{path.name}: column '{twice[0]}' occurs twice")
    places = [i for i, name in enumerate(names) if UNNAMED.fullmatch(name)]
    for i in places:
        names[i] = f"\0{i}"
    if not places:
        return names, []
    count = f"column {places[0] + 1} has" if len(places) == 1 else f"{len(places)} columns have"
    return names, [f"{count} no name and {'is' if len(places) == 1 else 'are'} left out"]


def _parsed(
    body: bytes, plain: Collection[str], words: Collection[str], names: Sequence[str], **arguments: Any
) -> pd.DataFrame:
    missing = {name: [""] if name in words else MISSING for name in names if name not in plain or name in words}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would warn and drop fields without a header
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # columns of several types are read again
        arguments |= {"keep_default_na": False, "index_col": False, "encoding": "utf-8", **FLOATS}
        dtype = {name: str for name in names if name in plain}
        frame = pd.read_csv(io.BytesIO(body), names=list(names), dtype=dtype, na_values=missing, **arguments)
        # pandas types some rows at a time, which is faster than all at once: a word far below makes strings of all
        objects = [name for name in names if name in frame and name not in plain and frame[name].dtype == object]
        mixed = [name for name in objects if pd.api.types.infer_dtype(frame[name], skipna=True) != "string"]
        if not mixed:
            return frame
        arguments |= {"dtype": str, "usecols": mixed, "na_values": {name: missing[name] for name in mixed}}
        return frame.assign(**pd.read_csv(io.BytesIO(body), names=list(names), **arguments))


def _with_written_form(
    frame: pd.DataFrame, body: bytes, separator: str, plain: Collection[str], arguments: dict[str, Any]
) -> pd.DataFrame:
    """The frame with numbers as strings where their form means more: codes such as 007, and 1.234 for 1234."""
    numbers = [name for name in frame if name not in plain and pd.api.types.is_numeric_dtype(frame[name])]
    doubtful = list[str]()
    if holds_codes(body, separator):
        doubtful = [str(name) for name in numbers if _are_whole(frame[name])]
    if separator != "," and re.search(rb"\d,\d", body):
        doubtful += [str(name) for name in numbers if pd.api.types.is_float_dtype(frame[name]) and name not in doubtful]
    if not doubtful:
        return frame
    written = _parsed(body, set(doubtful), (), **arguments | {"usecols": doubtful})
    codes = {
        name: written[name].where(~written[name].isin(MISSING))
        for name in doubtful
        if written[name].str.fullmatch(r"0\d+").any()
        or (separator != "," and written[name].str.contains(".", regex=False).any())
    }
    return frame.assign(**codes) if codes else frame


def _are_whole(numbers: pd.Series) -> bool:
    """Whether a column has whole numbers only: pandas reads codes with leading zeros as such."""
    if not pd.api.types.is_float_dtype(numbers):
        return True
    known = numbers.to_numpy()[numbers.notna()]
    return bool((known == np.floor(known)).all())


def _are_even(frame: pd.DataFrame, body: bytes, separator: str) -> bool:
    """Whether all rows have all fields: pandas fills short rows with NaN, and refuses long ones."""
    return count_separators(body, separator) == len(frame) * (frame.shape[1] - 1)


def _refuse_uneven(path: Path, body: bytes, layout: Layout) -> None:
    """Names the first row that has more fields than the header, or fewer than its named columns."""
    columns = len(layout.names)
    least = max((i for i, name in enumerate(layout.names, 1) if name), default=columns)
    try:
        for record in records(body.decode("utf-8"), layout.separator):
            if not least <= (found := len(record.fields)) <= columns:
                line = layout.lines + record.line
                raise KitError(
                    f"{path.name}: line {line} has {found} field{'s' if found > 1 else ''}, not the {columns} of the "
                    f"header: {shown(layout.separator.join(record.fields))}"
                )
    except csv.Error as error:
        raise KitError(f"{path.name}: not a whole CSV file: {error}") from None


def _read_lines(
    path: Path, data: bytes, form: Form, as_strings: Callable[[Sequence[str]], Collection[str]], words: Collection[str]
) -> tuple[pd.DataFrame, list[str]]:
    """A text without quotes. pandas would fill short lines, and would not say which line is too long."""
    separator = form.separator or ","
    text = data.decode("utf-8").replace("\r\n", "\n").rstrip("\n")
    if not text:
        raise KitError(f"{path.name}: the file is empty")
    first = text.partition("\n")[0].split(separator)
    refuse_separator(path, first, form, separator)
    columns = list(form.header) or first
    if twice := [name for i, name in enumerate(columns) if name and name in columns[:i]]:
        raise KitError(f"{path.name}: column '{twice[0]}' occurs twice")
    for number, line in enumerate(text.split("\n"), 1):
        if (fields := line.count(separator) + 1) != len(columns):
            wanted = f"{len(columns)} fields {some(columns, 12)}"
            raise KitError(f"{path.name}: line {number} has {fields} fields, not the {wanted}")
    rows = text if form.header else text.partition("\n")[2]
    if not rows:
        raise KitError(f"{path.name}: the file has a header but no rows")
    return _parsed(rows.encode(), as_strings(columns), words, header=None, names=columns, **form.pandas), []

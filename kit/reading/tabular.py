"""Files that hold a table and not a text of fields: JSON, JSON lines, Parquet, Excel."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kit.core.errors import KitError, shown
from kit.schema.cells import cell_text


def read_json_table(path: Path, data: bytes) -> tuple[pd.DataFrame, list[str]]:
    """Rows of JSON (a list of objects, or columns by name) or of JSON lines (an object a line).

    Args:
        data: UTF-8.

    Raises:
        KitError: it is not whole, or no table.
    """
    text = data.decode("utf-8")
    try:
        found, what = json.loads(text), "JSON"
    except json.JSONDecodeError as error:
        found, what = _json_lines(path, text, error), "JSON lines"
    if isinstance(found, dict) and isinstance(
        found.get("data"), list
    ):  # {"columns": […], "data": […]}, or the rows alone
        columns = found.get("columns")
        found = [dict(zip(columns, row, strict=False)) for row in found["data"]] if columns else found["data"]
    if isinstance(found, dict):
        scalar = not any(isinstance(value, (list, dict)) for value in found.values())
        frame = pd.DataFrame(
            [found] if scalar else {name: pd.Series(value, dtype=object) for name, value in found.items()}
        )
    elif isinstance(found, list) and all(isinstance(row, dict) for row in found):
        frame = pd.DataFrame(found, dtype=object)
    else:
        raise KitError(f"{path.name}: {what}, but no table: it is to be a list of objects, one a row")
    return frame.reset_index(drop=True), [what]


def _json_lines(path: Path, text: str, error: json.JSONDecodeError) -> list[Any]:
    rows = list[Any]()
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for number, line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            if not rows:  # one object over many lines
                raise KitError(f"{path.name}: not whole JSON: {error.msg} in line {error.lineno}") from None
            raise KitError(f"{path.name}: line {number} is not whole JSON: {shown(line)}") from None
    return rows


def read_parquet(path: Path, data: bytes) -> tuple[pd.DataFrame, list[str]]:
    """Rows of a Parquet file.

    Raises:
        KitError: it is damaged, or neither pyarrow nor fastparquet is installed.
    """
    try:
        frame = pd.read_parquet(io.BytesIO(data))
    except ImportError:
        raise KitError(f"{path.name}: Parquet needs the package pyarrow: pip install 'kit[files]'") from None
    except (OSError, ValueError) as error:
        raise KitError(f"{path.name}: not a whole Parquet file; fetch it again") from error
    named = [name for name in frame.index.names if name is not None]
    return (frame.reset_index() if named else frame.reset_index(drop=True)), ["Parquet"]


def read_excel(path: Path, data: bytes, known: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Rows of the first sheet of an Excel workbook; lines above the header are left out.

    Args:
        known: columns that the task names; the first of 20 rows that has most of them is the header.

    Raises:
        KitError: it is damaged, or openpyxl is not installed.
    """
    try:
        with pd.ExcelFile(io.BytesIO(data), engine="openpyxl") as book:
            sheets = [str(name) for name in book.sheet_names]
            cells = book.parse(sheets[0], header=None, dtype=object, keep_default_na=False, na_values=[""])
    except ImportError:
        raise KitError(f"{path.name}: Excel needs the package openpyxl: pip install 'kit[files]'") from None
    except Exception as error:  # openpyxl raises whatever a damaged part makes of it
        raise KitError(f"{path.name}: not a whole Excel file: {str(error).splitlines()[:1]}") from None
    cells = cells.dropna(how="all").dropna(axis=1, how="all")
    if cells.empty:
        raise KitError(f"{path.name}: the file is empty")
    heads = [[(cell_text(value) or "").strip() for value in row] for row in cells.head(20).itertuples(index=False)]
    place = max(range(len(heads)), key=lambda i: (len({*heads[i]} & {*known}), -i))
    notes = ["Excel"] + ([f"its first sheet of {len(sheets)}, {shown(sheets[0])}"] if len(sheets) > 1 else [])
    if place:
        notes.append(f"the first {place} lines are no header and are left out: {shown(''.join(heads[0]))}")
    return cells.iloc[place + 1 :].set_axis(heads[place], axis=1).reset_index(drop=True), notes

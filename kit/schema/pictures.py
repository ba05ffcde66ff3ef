"""Cells of columns of pictures: names, or the bytes themselves."""

from pathlib import Path
from typing import Any

import numpy as np

from kit.core.errors import KitError, shown


def picture_cell(value: Any) -> Any:
    """A cell of a column of pictures: a name, bytes, a tuple of several of these, or None.

    A `Path` is read here: only a person's code, and no file of a competition, can name a file outside the data folder.

    Args:
        value: a name, bytes, a path, `{"bytes": …, "path": …}` as in Parquet files of the hub, or a list of these.

    Raises:
        KitError: it is something else, or the path cannot be read.
    """
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value) or None
    if isinstance(value, Path):
        try:
            return value.read_bytes()
        except OSError as error:
            raise KitError(f"picture {value}: {error.strerror}") from None
    if isinstance(value, dict) and {"bytes", "path"} & value.keys():
        return picture_cell(value.get("bytes") or value.get("path"))
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1):
        cells = tuple(picture_cell(one) for one in value)
        return cells[0] if len(cells) == 1 else cells or None
    if value is None or (np.isscalar(value) and value != value):
        return None
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        return str(int(value)) if float(value).is_integer() else str(value)
    raise KitError(f"a column of pictures holds names or bytes, not {shown(value)}")


def several(cell: Any) -> tuple[Any, ...]:
    """The pictures of a cell, one at least: bytes or names; None where the cell is empty."""
    return cell if isinstance(cell, tuple) and cell else (cell if isinstance(cell, (str, bytes)) else None,)

"""Keys: groups of rows that have the same values in one or two columns, as integers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from pydantic import BeforeValidator

from kit.core.errors import KitError, nearest
from kit.core.files import read_json, replacing, write_json
from kit.core.spec import digest
from kit.rows import Rows
from kit.source import Source
from kit.task import Task

Key = str | tuple[str, str]
# one column, or two: keys="city", keys=("city", ("city", "trade"))
KeyNames = Annotated[tuple[Key, ...], BeforeValidator(lambda keys: (keys,) if isinstance(keys, str) else keys)]


class Keys:
    """The groups of some keys, learnt from all known rows of a source; no label is read.

    Args:
        keys: names of the columns of each key.
        arrays: the values of columns, and the pairs of values that occur.
        name: changes with keys and rows, for what is computed once.
    """

    def __init__(self, keys: Sequence[Key], arrays: dict[str, np.ndarray], name: str) -> None:
        self.keys = tuple(keys)
        self.arrays, self.name = arrays, name

    @classmethod
    def of(cls, source: Source, keys: Sequence[Key]) -> Self:
        """Learns the groups; computed once for all folds."""

        name = digest(["keys", list(keys)])[:16]
        arrays = source.once(f"keys-{name}", lambda frame: learnt_keys(frame.iloc[: source.originals], keys))
        return cls(keys, arrays, digest([name, source.digest])[:16])

    @property
    def sizes(self) -> list[int]:
        """Number of groups of each key; a missing value is a value."""
        return [len(self.arrays[f"{i}-cells"]) for i in range(len(self.keys))]

    @property
    def names(self) -> list[str]:
        """Name of each key: "city", "city × trade"."""
        return [" × ".join(columns_of(key)) for key in self.keys]

    def codes(self, rows: Rows) -> np.ndarray:
        """(n, keys) int32 number of each row's group; -1 for a group that is not known."""
        made = rows.source.once(f"codes-{self.name}", lambda frame: {"codes": self.codes_of(frame)})
        return made["codes"][rows.at]

    def codes_of(self, frame: pd.DataFrame) -> np.ndarray:
        """As `codes`, of all rows of a frame."""
        found = np.full((len(frame), len(self.keys)), -1, dtype=np.int32)
        for i, key in enumerate(self.keys):
            known, cells = self.arrays[f"{i}-cells"], _cells(self.arrays, i, key, frame)
            if len(known):
                place = np.minimum(np.searchsorted(known, cells), len(known) - 1)
                found[:, i] = np.where(known[place] == cells, place, -1)
        return found

    def save(self, folder: Path) -> None:
        """Writes `keys.json` and `keys.npz`."""
        write_json(folder / "keys.json", {"keys": self.keys, "name": self.name})
        save_arrays(folder / "keys.npz", self.arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        saved = read_json(folder / "keys.json")
        keys = [tuple(key) if isinstance(key, list) else key for key in saved["keys"]]
        return cls(keys, load_arrays(folder / "keys.npz"), saved["name"])


def learnt_keys(frame: pd.DataFrame, keys: Sequence[Key]) -> dict[str, np.ndarray]:
    """The arrays of `Keys` of a frame's rows."""
    arrays = dict[str, np.ndarray]()
    for i, key in enumerate(keys):
        for j, column in enumerate(columns_of(key)):
            arrays[f"{i}-{j}"] = levels_of(frame[column])
        cells = _cells(arrays, i, key, frame)
        arrays[f"{i}-cells"] = np.unique(cells[cells >= 0])
    return arrays


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes named arrays into one file without pickles."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `save_arrays` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def columns_of(key: Key) -> tuple[str, ...]:
    """The columns of a key."""
    return (key,) if isinstance(key, str) else key


def levels_of(column: pd.Series) -> np.ndarray:
    """The different values of a column, in order: floats, or strings."""
    known = column.dropna().unique()
    if pd.api.types.is_numeric_dtype(column):
        return np.unique(np.asarray(known, dtype=np.float64))
    return np.array(sorted({*map(str, known)}), dtype=str)


def places_in(levels: np.ndarray, column: pd.Series) -> np.ndarray:
    """(n,) position of each value in `levels`, their number for a missing value, -1 for one that is not among them."""
    codes, values = pd.factorize(column)
    if levels.dtype.kind == "U":
        found = pd.Index(levels.astype(object)).get_indexer(pd.Index([str(value) for value in values], dtype=object))
    else:
        found = pd.Index(levels).get_indexer(pd.Index(pd.to_numeric(pd.Series(values), errors="coerce"), dtype=float))
    return np.append(found, len(levels)).astype(np.int64)[codes]


def _cells(arrays: dict[str, np.ndarray], i: int, key: Key, frame: pd.DataFrame) -> np.ndarray:
    """(n,) one number for each combination of values; -1 where a value is not known."""
    cells = np.zeros(len(frame), dtype=np.int64)
    for j, column in enumerate(columns_of(key)):
        levels = arrays[f"{i}-{j}"]
        places = places_in(levels, frame[column])
        cells = np.where((cells < 0) | (places < 0), -1, cells * (len(levels) + 1) + places)
    return cells


def category_columns(source: Source, task: Task) -> list[str]:
    """The columns of categories among those that are neither text nor pictures."""
    frame = source.frame
    return [c for c in task.tabular(frame.columns) if not pd.api.types.is_numeric_dtype(frame[c])]


def number_columns(source: Source, task: Task) -> list[str]:
    """The columns of numbers."""
    frame = source.frame
    return [c for c in task.tabular(frame.columns) if pd.api.types.is_numeric_dtype(frame[c])]


def check_columns(who: Any, task: Task, names: Sequence[str]) -> None:
    """Refuses names that are no columns of a task.

    Raises:
        KitError: names the column and the one that may be meant.
    """
    known = list(task.inputs)
    for name in names:
        if known and name not in known:
            raise KitError(f"{type(who).__name__}: task '{task.name}' has no column '{name}'{nearest(name, known)}")


def check_numbers(who: Any, source: Source, names: Sequence[str]) -> None:
    """Refuses columns that hold no numbers.

    Raises:
        KitError: names the column.
    """
    for name in names:
        if name not in source.frame.columns:
            raise KitError(f"{type(who).__name__}: there is no column '{name}'{nearest(name, [*source.frame.columns])}")
        if not pd.api.types.is_numeric_dtype(source.frame[name]):
            raise KitError(f"{type(who).__name__}: column '{name}' holds no numbers; name one that does")

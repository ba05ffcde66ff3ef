"""Sides: the side tables of a competition, and the keys by which its rows find their own rows in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError, nearest
from kit.core.lazy import later
from kit.core.spec import digest
from kit.reading.discovery import first_of
from kit.reading.phrases import some
from kit.schema.cells import cell_text
from kit.schema.dates import DAY
from kit.schema.fingerprint import fingerprint
from kit.schema.schema import Schema
from kit.sides.files import SideFile
from kit.sides.side import Side, checked_sides
from kit.sides.table import SideTable
from kit.source import RelatedTables

if TYPE_CHECKING:
    import polars as pl
else:
    pl = later("polars")

LACKING = np.iinfo(np.int64).min  # in place of a missing key: no file has it


@dataclass(frozen=True, eq=False)
class Sides(RelatedTables, Mapping[str, SideTable]):
    """Side tables by name; empty where there are none.

    Attributes:
        tables: those that are there, each after the one that it belongs to.
        absent: names of those that the recipe names and whose files are not there.
        row_keys: (n, …) of the rows of a source: keys as strings, own times as numbers; None: no rows are known yet.
    """

    tables: Mapping[str, SideTable] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    row_keys: pd.DataFrame | None = None
    _numbers: dict[str, np.ndarray | None] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def in_folder(
        cls, sides: Side | tuple[Side, ...], folder: Path, cache: Path | None = None
    ) -> tuple["Sides", list[str]]:
        """Opens the sides whose files lie in a folder, and says which do not.

        Raises:
            KitError: the file of a required side is missing, or a side names a column that it does not have.
        """
        given = _checked(sides)
        found = {side.name: first_of(folder, side.file) for side in given}
        for side in given:
            if side.required and not found[side.name]:
                raise KitError(f"{folder}: {side.file} is missing, which the recipe requires as a side table")
        return cls._linked(given, {n: SideFile(path, cache) for n, path in found.items() if path}, "its file is")

    @classmethod
    def of_frames(cls, sides: Side | tuple[Side, ...], frames: Mapping[str, Any] | None) -> tuple["Sides", list[str]]:
        """Opens the sides whose rows are given as frames by name, and says which are not.

        Raises:
            KitError: there is no such side, or a required one is missing.
        """
        given, frames = _checked(sides), dict(frames or {})
        for name in frames:
            if name not in (known := [side.name for side in given]):
                raise KitError(f"sides: the recipe names no side table '{name}'" + nearest(name, known))
        for side in given:
            if side.required and side.name not in frames:
                raise KitError(f"sides: '{side.name}' is missing, which the recipe requires")
        return cls._linked(given, {n: _frame(n, f) for n, f in frames.items()}, "no frame is given")

    @classmethod
    def _linked(cls, sides: Sequence[Side], found: Mapping[str, Any], why: str) -> tuple["Sides", list[str]]:
        tables, absent = dict[str, SideTable](), list[str]()
        for side in sides:
            if side.name not in found or (side.of and side.of not in tables):
                absent.append(side.name)
                continue
            where = found[side.name]
            plain = isinstance(where, pd.DataFrame)
            tables[side.name] = SideTable(side, None if plain else where, where if plain else None)
            if side.of:
                tables[side.of].check(side.row_key)
        lost = (
            why
            if why.startswith("no ")
            else ("its file is not there" if len(absent) == 1 else "their files are not there")
        )
        what = (
            f"side table '{absent[0]}' is"
            if len(absent) == 1
            else f"{len(absent)} side tables ({some(absent, 12)}) are"
        )
        return cls(tables, tuple(absent)), [f"{what} left out: {lost}"] if absent else []

    def __getitem__(self, name: str) -> SideTable:
        if name in self.tables:
            return self.tables[name]
        if name in self.absent:
            raise KeyError(name)
        raise KitError(f"there is no side table '{name}'" + nearest(name, [*self.tables, *self.absent]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __contains__(self, name: object) -> bool:
        return name in self.tables

    def children(self, name: str) -> list[SideTable]:
        """The tables whose rows belong to rows of this one; of "" those whose rows belong to the competition's rows."""
        return [table for table in self.tables.values() if table.side.of == name]

    @cached_property
    def digest(self) -> str:
        """Changes with any byte of the tables, with how they are described, and with any key of the rows."""
        tables = [[name, table.digest] for name, table in self.tables.items()]
        keys = [] if self.row_keys is None else [[str(c), fingerprint(self.row_keys[c])] for c in self.row_keys]
        return digest([tables, keys])

    # ---- rows ----------------------------------------------------------------------------------

    @property
    def row_columns(self) -> dict[str, str]:
        """Column of the rows → the side that needs it: keys, and the rows' own times."""
        found = dict[str, str]()
        for table in self.children(""):
            for column in filter(None, (table.side.row_key, table.side.row_time)):
                found.setdefault(column, table.side.name)
        return found

    def check(self, file: str, columns: Sequence[str]) -> None:
        """Refuses rows without a key.

        Raises:
            KitError: names the column and the nearest one.
        """
        for name, side in self.row_columns.items():
            if name not in columns:
                said = f"{file}: column '{name}' is missing, by which side table '{side}' is joined"
                raise KitError(said + nearest(name, [str(c) for c in columns]))

    def keyed(self, frames: Sequence[pd.DataFrame], schema: Schema) -> "Sides":
        """The same tables for the rows of these frames, one after another; a key that a frame lacks is missing.

        Args:
            frames: rows with typed columns.
            schema: their types.
        """
        times = {table.side.row_time for table in self.children("")}
        found = {
            name: np.concatenate([(_times if name in times else _keys)(frame, name, schema) for frame in frames])
            for name in self.row_columns
        }
        rows = pd.RangeIndex(sum(map(len, frames)))
        return replace(self, row_keys=pd.DataFrame(found, index=rows, columns=list(found)))

    def whole_keys(self, name: str) -> np.ndarray | None:
        """(n,) int64 keys of the rows, where all are whole numbers without leading zeros; LACKING where one is missing.

        Args:
            name: a column of `row_keys`.

        Returns:
            None if some key is no such number: then keys are compared as strings.
        """
        if name not in self._numbers:
            assert self.row_keys is not None
            texts = pl.Series(self.row_keys[name].tolist(), dtype=pl.String)
            numbers = texts.cast(pl.Int64, strict=False)
            whole = (numbers.cast(pl.String).eq_missing(texts)).all()
            self._numbers[name] = numbers.fill_null(LACKING).to_numpy() if whole else None
        return self._numbers[name]

    def take(self, at: np.ndarray) -> "Sides":
        """The same tables for the rows at these positions."""
        return self if self.row_keys is None else replace(self, row_keys=self.row_keys.iloc[at].reset_index(drop=True))

    def with_frames(self, frames: Mapping[str, Any] | None) -> "Sides":
        """The same sides with other rows in some tables.

        Args:
            frames: name of a side table → its rows.

        Raises:
            KitError: there is no such side table.
        """
        changed = dict(self.tables)
        for name, frame in (frames or {}).items():
            if name not in self.tables:
                raise KitError(f"sides: there is no side table '{name}'" + nearest(name, [*self.tables]))
            changed[name] = SideTable(self.tables[name].side, frame=_frame(name, frame))
        return replace(self, tables=changed)


NO_SIDES = Sides()


def _checked(sides: Side | tuple[Side, ...]) -> tuple[Side, ...]:
    try:
        return checked_sides(sides)
    except ValueError as error:
        raise KitError(f"sides: {error}") from None


def _frame(name: str, frame: Any) -> pd.DataFrame:
    if isinstance(frame, pd.DataFrame):
        return frame
    if hasattr(frame, "to_pandas"):
        return frame.to_pandas()
    try:
        return pd.DataFrame(frame)
    except (TypeError, ValueError):
        raise KitError(f"sides: '{name}' is no frame, but a {type(frame).__name__}") from None


def _keys(frame: pd.DataFrame, name: str, schema: Schema) -> np.ndarray:
    """(n,) keys as strings, None where missing: 7.0 is "7"."""
    if name not in frame:
        return np.full(len(frame), None, dtype=object)
    codes, values = pd.factorize(frame[name].astype(object))
    return np.array([*map(cell_text, values), None], dtype=object)[codes]


def _times(frame: pd.DataFrame, name: str, schema: Schema) -> np.ndarray:
    """(n,) float64: numbers as they are, dates as days since 1970; NaN where missing."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    values, column = frame[name], schema.columns.get(name)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        moments = values.to_numpy("datetime64[us]")
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / DAY)
    if not pd.api.types.is_numeric_dtype(values.dtype):
        raise KitError(f"row_time = '{name}': the column is neither a number nor a date")
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    first = np.datetime64(column.first, "us").astype(np.int64) / DAY if column and column.type == "date" else 0.0
    return numbers + first

"""SideTable: one side table, opened; its columns have types, and its rows are read lazily."""

import os
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from kit.core.errors import KitError, nearest
from kit.core.lazy import later
from kit.core.spec import digest
from kit.core.threads import threads
from kit.reading.form import CSV
from kit.reading.layout import HEAD as HEADER
from kit.reading.layout import layout_of
from kit.schema.fingerprint import fingerprint
from kit.sides.columns import expression, native_types, to_polars, typed_by, types_of_text
from kit.sides.files import SideFile
from kit.sides.side import Side

if TYPE_CHECKING:
    import polars as pl
else:
    pl = later("polars")

SAMPLED = 50_000  # rows of a Parquet file by which its columns of strings are typed
KEY = "\0key "  # before the name of a column that is read as a key: no file has such a column
LEVELS = 50  # most frequent values of a category that are known


class SideTable:
    """A side table.

    Args:
        side: its description.
        file: its file; None: the rows are in a frame.
        frame: its rows, where there is no file.

    Raises:
        KitError: polars is not installed, or a column that the side names is not there.
    """

    def __init__(self, side: Side, file: SideFile | None = None, frame: pd.DataFrame | None = None) -> None:
        needs_polars()
        self.side, self.file = side, file
        self._memory: dict[str, Any] = {}
        self._frame = None if frame is None else to_polars(side.name, frame)
        self._given = frame
        parts = [part for _, text in side.made for part in text.split(" ")[::2]]
        for name in filter(None, (side.key, side.time, *(column for column, _ in side.types), *parts)):
            self.check(name)

    @property
    def label(self) -> str:
        """What error sentences call it."""
        return self.file.path.name if self.file else f"side '{self.side.name}'"

    def check(self, name: str) -> None:
        """Refuses a column that is not there.

        Raises:
            KitError: names the nearest one.
        """
        if name not in self.columns:
            raise KitError(f"{self.label}: column '{name}' is missing" + nearest(name, list(self.columns)))

    def kept(self, what: str, find: Any) -> Any:
        """A fact about the rows, found out once; see `SideFile.kept`."""
        what = f"{what}-{digest(self.side.facts())[:8]}"
        if self.file:
            return self.file.kept(what, find)
        if what not in self._memory:
            self._memory[what] = find()
        return self._memory[what]

    @cached_property
    def digest(self) -> str:
        """Changes with any byte of the file, or any value of the frame, and with how the side is described."""
        if self.file:
            return digest([self.side.facts(), self.file.sum])
        assert self._given is not None
        return digest([self.side.facts(), *([str(c), fingerprint(self._given[c])] for c in self._given)])

    @cached_property
    def columns(self) -> dict[str, dict[str, Any]]:
        """Column → its type, in the order of the file."""
        made = {name: {"type": "number", "how": "made"} for name, _ in self.side.made}
        return self._layout["columns"] | made

    @cached_property
    def _layout(self) -> dict[str, Any]:
        return self.kept("types", self._find_columns)

    def _find_columns(self) -> dict[str, Any]:
        stated: dict[str, str] = dict(self.side.types)
        if self.file and not self.file.is_parquet:
            sample = self.file.sample()
            text = sample[: 4 * HEADER].decode("utf-8", errors="ignore")
            known = [*filter(None, (self.side.key, self.side.time))]
            layout = layout_of(self.file.path, text, CSV, known)
            body = sample[len(text[: layout.start].encode()) :]
            names = [name or f"\0{i}" for i, name in enumerate(layout.names)]
            if twice := [name for i, name in enumerate(names) if name in names[:i]]:
                raise KitError(f"{self.label}: column '{twice[0]}' occurs twice")
            if not body.strip():
                raise KitError(f"{self.label}: the file has a header but no rows")
            columns = types_of_text(body, names, layout.separator, stated)
            return {"columns": columns, "all": names, "separator": layout.separator, "lines": layout.lines}
        lazy = self._native()
        schema = lazy.collect_schema()
        found = native_types(schema)
        words = [name for name in schema if name not in found or stated.get(name) == "category"]
        head = lazy.select(words).head(SAMPLED).collect()
        for name in words:
            found[name] = typed_by(
                pd.Series(head[name].cast(pl.String).drop_nulls().to_list(), dtype=object), stated.get(name)
            )
        return {"columns": {name: found[name] for name in schema}}

    def _native(self) -> "pl.LazyFrame":
        """Rows of a frame or of a Parquet file, as they are typed there."""
        if self._frame is not None:
            return self._frame.lazy()
        assert self.file is not None
        return pl.scan_parquet(self.file.unpacked)

    def _read(self, dtypes: Mapping[str, Any]) -> "pl.LazyFrame":
        """All rows, lazily, columns by name.

        Args:
            dtypes: of the columns of a text that are no strings; cells that do not fit are missing.
        """
        if not self.file or self.file.is_parquet:
            return self._native()
        layout = self._layout
        return pl.scan_csv(
            self.file.plain, has_header=False, skip_lines=layout["lines"], separator=layout["separator"],
            schema={name: dtypes.get(name, pl.String) for name in layout["all"]}, ignore_errors=True,
        )  # fmt: skip

    def scan(
        self, values: Sequence[str] = (), keys: Mapping[str, bool] = {}, raw: Collection[str] = ()
    ) -> "pl.LazyFrame":
        """Some columns, lazily: a row is read when something of it is asked for, and forgotten then.

        Args:
            values: columns, as numbers or, categories, as strings.
            keys: column → whether it is read as whole numbers, else as strings; it is called `KEY` + its name.
            raw: categories among them that are only compared with known values: words for missing stay.

        Raises:
            KitError: a column is not there.
        """
        for name in (*values, *keys):
            self.check(name)
        made = {name: text.split(" ") for name, text in self.side.made if name in values}
        plain = [*values, *(part for parts in made.values() for part in (parts[0], parts[2]))]
        dtypes: dict[str, Any] = {name: pl.Float64 for name in plain if self.columns[name]["how"] == "float"}
        dtypes |= {name: pl.Int64 if whole else pl.String for name, whole in keys.items()}
        read = [pl.col(name).cast(dtypes[name], strict=False).alias(KEY + name) for name in keys]
        read += [
            self._made(name, made[name]) if name in made else self._expression(name, name in raw) for name in values
        ]
        return self._read(dtypes).select(read)

    def _expression(self, name: str, raw: bool = False) -> "pl.Expr":
        nan = not self.file or self.file.is_parquet or self.file.may_hold_nan
        return expression(name, self.columns[name], self.side.missing, raw, nan)

    def _made(self, name: str, parts: Sequence[str]) -> "pl.Expr":
        a, sign, b = parts[0], parts[1], parts[2]
        for part in (a, b):
            if part in dict(self.side.made) or self.columns[part]["type"] == "category":
                raise KitError(f"{self.label}: '{name}' is made of '{part}', which is no column of numbers in it")
        first, second = self._expression(a), self._expression(b)
        made = {"+": first + second, "-": first - second, "*": first * second}.get(sign)
        return (pl.when(second != 0).then(first / second) if made is None else made).alias(name)

    def whole(self, name: str) -> bool:
        """Whether all values of a key are whole numbers without leading zeros, so that they can be compared as such."""
        self.check(name)
        return self.kept(f"whole-{digest(name)[:8]}", lambda: self._find_whole(name))

    def _find_whole(self, name: str) -> bool:
        lazy = self._read({})
        dtype = lazy.collect_schema()[name]
        if dtype.is_integer():
            return True
        cell = pl.col(name)
        written = cell.cast(pl.Int64, strict=False).cast(pl.String) if dtype == pl.String else cell.floor()
        odd = (written != cell) | (written.is_null() & cell.is_not_null())
        return not lazy.select(odd.any()).collect(engine="streaming").item()

    def levels(self, name: str, most: int) -> list[str]:
        """The most frequent values of a category, the first in the alphabet of equally frequent ones.

        Args:
            name: of the column.
            most: how many values, at most `LEVELS`.
        """

        def find() -> list[str]:
            counts = self.scan([name]).drop_nulls().group_by(name).agg(pl.len().alias("\0n"))
            first = counts.sort(["\0n", name], descending=[True, False]).head(LEVELS)
            return first.collect(engine="streaming")[name].to_list()

        return self.kept(f"levels-{digest(name)[:8]}", find)[:most]

    def of_type(self, *types: str) -> list[str]:
        """The columns of these types, without keys."""
        return [name for name, column in self.columns.items() if column["type"] in types and name[0] != "\0"]


def needs_polars() -> None:
    """Refuses to go on without polars; its number of threads is kit's, if it was not imported before.

    Raises:
        KitError: says what to install.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", str(threads()))
    try:
        import polars  # noqa: F401
    except ImportError:
        raise KitError("side tables need the package polars: pip install 'kit[tables]'") from None

"""Schema: the type of every column of a competition, decided once and kept with the rows and with saved predictors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.schema.cells import Cells, cell_text, well_formed
from kit.schema.column import Column, ColumnType, decimal_in, type_of, typed_column
from kit.schema.notes import note_of_signs, notes_of_columns, notes_of_misfits
from kit.schema.numbers import Decimal, decimal_of
from kit.schema.pictures import picture_cell


@dataclass(frozen=True)
class Schema:
    """The types of all columns, in the order of the first file.

    Attributes:
        columns: name → type of the column, and how it is written.
        aside: columns that only folds read; their dates stay dates.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    aside: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, frames: Mapping[str, pd.DataFrame], names: Sequence[str], *, text: Sequence[str] = (),
        aside: Sequence[str] = (), types: Mapping[str, ColumnType] = {}, id: str = "",
        decimal: Decimal | None = None, usual: Decimal = ".", images: Sequence[str] = (),
    ) -> tuple[Self, dict[str, pd.DataFrame], list[str]]:  # fmt: skip
        """Decides the types of these columns over all frames together, and applies them to the frames.

        Args:
            frames: name of a file → its rows; a column may be missing in some of them.
            names: names of the columns.
            text: columns of text.
            aside: columns that only folds read.
            types: types that are given, so that they are not decided here.
            id: the column with the ids of rows, for notes.
            decimal: the decimal sign of all numbers; None: each column's own values show it.
            usual: the decimal sign if the values do not show it.
            images: columns of pictures.

        Returns:
            The schema, the frames with typed columns (see `apply`), and sentences about types that could be other ones,
            and about cells that do not fit.
        """
        found = {file: _cells(file, frame, names, id) for file, frame in frames.items()}
        decided = [name for name in names if name not in (*text, *images)]
        cells = {name: [c[name] for c in found.values() if name in c] for name in decided}
        if decimal is None:
            words = [v for files in cells.values() for c in files if not c.numeric for v in c.values if "," in v]
            usual = decimal_of(words) or usual
        columns, notes = dict[str, Column](), list[str]()
        for name in names:
            if name in (*text, *images):
                columns[name] = Column("text" if name in text else "image")
                continue
            sign = decimal or decimal_in(cells[name], usual)
            stated = types.get(name) or ("category" if any(c.categorical for c in cells[name]) else None)
            kind = stated or type_of(cells[name], sign)
            columns[name] = Column("text") if kind == "text" else typed_column(kind, cells[name], sign)
            if name not in aside:  # train and test are expected to have different groups
                notes += notes_of_columns(name, columns[name], cells[name], stated is not None)
        schema, typed = cls(columns, tuple(aside)), dict[str, pd.DataFrame]()
        notes = note_of_signs(columns) + notes
        for file, frame in frames.items():
            typed[file], said = schema._applied(frame, file, found[file])
            notes += said
        return schema, typed, notes

    def apply(self, frame: pd.DataFrame, file: str = "frame", id: str = "") -> tuple[pd.DataFrame, list[str]]:
        """A frame with typed columns, and sentences about cells that do not fit.

        Numbers and booleans become float64, categories become strings, and dates become the days since the first one,
        with a further column for each part that differs. Columns that the schema does not have stay as they are.

        Raises:
            KitError: the frame already has a column with the name of a part of a date.
        """
        return self._applied(frame, file, _cells(file, frame, [*self.columns], id))

    def _applied(self, frame: pd.DataFrame, file: str, found: Mapping[str, Cells]) -> tuple[pd.DataFrame, list[str]]:
        made, notes = dict[str, Any](), list[str]()
        for name in frame.columns:
            if name not in found:
                made[name] = frame[name]
                continue
            column, cells = self.columns[name], found[name]
            values = self._typed(name, column, cells)
            if taken := [part for part in list(values)[1:] if part in frame.columns]:
                raise KitError(
                    f"{file}: column '{taken[0]}' has the name that kit gives to a part of the date '{name}'; rename it"
                )
            made |= values
            notes += notes_of_misfits(name, column, cells, next(iter(values.values())))
        return pd.DataFrame(made, index=frame.index, columns=list(made)), notes

    def _typed(self, name: str, column: Column, cells: Cells) -> dict[str, Any]:
        if column.type == "text":
            plain = pd.api.types.infer_dtype(cells.column, skipna=True) in ("string", "empty")
            texts = cells.column
            return {
                name: texts if plain else well_formed(pd.Series([*map(cell_text, texts)], texts.index, dtype=object))
            }
        if column.type == "image":
            pictures = np.empty(len(cells.column), dtype=object)  # a list of tuples would become a table
            pictures[:] = [picture_cell(value) for value in cells.column]
            return {name: pictures}
        if column.type == "category":
            return {name: column.categories(cells)}
        if column.type == "date":
            dates = pd.Series(column.dates(cells))
            return {name: dates.to_numpy()} if name in self.aside else column.columns(name, dates)
        return {name: column.numbers(cells)}

    def expanded(self, names: Sequence[str]) -> list[str]:
        """The columns after `apply`: a date is followed by its parts."""
        found = list[str]()
        for name in names:
            column = self.columns.get(name)
            parts = column.parts if column and name not in self.aside else ()
            found += [name, *(f"{name} {part}" for part in parts)]
        return found

    def of_type(self, type_: ColumnType, frame: pd.DataFrame) -> list[str]:
        """The columns of a frame that have this type."""
        return [name for name, column in self.columns.items() if column.type == type_ and name in frame.columns]

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values."""
        return {"columns": {name: asdict(column) for name, column in self.columns.items()}, "aside": list(self.aside)}

    @classmethod
    def from_dict(cls, written: dict[str, Any]) -> Self:
        """The schema that `to_dict` wrote."""
        columns = {name: Column(**{**c, "parts": tuple(c["parts"])}) for name, c in written["columns"].items()}
        return cls(columns, tuple(written["aside"]))


def _cells(file: str, frame: pd.DataFrame, names: Sequence[str], id: str) -> dict[str, Cells]:
    """The cells of these columns, without those that the frame does not have."""
    return {name: Cells(file, well_formed(frame[name]), frame.get(id)) for name in names if name in frame}

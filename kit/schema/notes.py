"""Notes about columns: cells that do not fit, files that disagree, categories with too many values."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kit.core.errors import shown
from kit.schema.cells import Cells
from kit.schema.column import Column, ColumnType, are_codes, same_word, type_of
from kit.schema.dates import order_of

MANY = 0.5  # there is a note if a category has more values than this share of its rows
FEWEST = 20  # and at least so many rows
MEANT = {"number": "number", "boolean": "yes or no", "date": "date"}
HOLDS = {"number": "numbers", "boolean": "yes and no", "date": "dates", "category": "words", "text": "text"}


def notes_of_misfits(name: str, column: Column, cells: Cells, typed: np.ndarray) -> list[str]:
    """A sentence about the cells that do not fit the column's type and count as missing, with the first and its id."""
    if column.type not in MEANT or (cells.numeric and column.type == "number"):
        return []
    bad = np.flatnonzero((cells.codes >= 0) & pd.isna(typed))
    if not len(bad):
        return []
    first = shown(cells.values[cells.codes[bad[0]]])
    count = "1 value is" if len(bad) == 1 else f"{len(bad)} values are"
    missing = "counts as missing" if len(bad) == 1 else "count as missing"
    what = f"no {MEANT[column.type]}" if column.type != "boolean" else "neither yes nor no"
    where = cells.at(int(bad[0]))
    return [f"{cells.name}: column '{name}': {count} {what} and {missing}: {first} at {where}"]


def note_of_signs(columns: Mapping[str, Column]) -> list[str]:
    """One sentence about the columns with dates or decimal commas, which were recognised by their values."""
    kinds = {
        "dates": [name for name, column in columns.items() if column.type == "date"],
        "numbers with decimal commas": [
            name for name, column in columns.items() if column.type == "number" and column.decimal == ","
        ],
    }
    found = [f"{kind} ({', '.join(names)})" for kind, names in kinds.items() if names]
    return [f"columns read as {' and as '.join(found)}"] if found else []


def notes_of_columns(name: str, column: Column, files: Sequence[Cells], given: bool) -> list[str]:
    """Sentences about a column whose type could be another one; `given`: the task states the type."""
    if column.type == "date":
        order, certain = order_of([value for cells in files for value in cells.values])
        other = "the day, then the month" if order == "month" else "the month, then the day"
        read = "the month, then the day" if order == "month" else "the day, then the month"
        return [] if certain else [f"column '{name}': its dates are read as {read}; they could be {other}"]
    if column.type != "category" or given:
        return []
    return _disagreement(name, column, files) or _many(name, files) or _unknown(name, files)


def _disagreement(name: str, column: Column, files: Sequence[Cells]) -> list[str]:
    """If one file alone would have another type: a sentence about both."""
    kinds = {cells.name: type_of([cells], column.decimal) for cells in files if cells.count}
    odd = next((cells for cells in files if kinds.get(cells.name) == "category"), None)
    if len(set(kinds.values())) < 2 or odd is None or are_codes([odd]):
        return []
    other = next(file for file, kind in kinds.items() if kind != "category")
    value, where = _first_odd(odd, kinds[other], column)
    return [
        f"{odd.name}: column '{name}' holds {HOLDS[kinds[other]]} in {other} but words here: {shown(value)} at "
        f"{where}; it is read as a category"
    ]


def _first_odd(cells: Cells, kind: ColumnType, column: Column) -> tuple[str, str]:
    """The first value that is not of a type, and where it is."""
    like = Column(kind, column.decimal)
    typed = like.dates(cells) if kind == "date" else like.numbers(cells)
    bad = np.flatnonzero((cells.codes >= 0) & pd.isna(typed))
    row = int(bad[0]) if len(bad) else int(np.flatnonzero(cells.codes >= 0)[0])
    return cells.values[cells.codes[row]], cells.at(row)


def _many(name: str, files: Sequence[Cells]) -> list[str]:
    rows = sum(cells.count for cells in files)
    values = {same_word(value) for cells in files for value in cells.values}
    if rows < FEWEST or len(values) <= MANY * rows:
        return []
    return [
        f"column '{name}' has {len(values)} different values in {rows} rows and is taken for a category; "
        "if it is text, name it in Task.text, if it says nothing, in Task.aside"
    ]


def _unknown(name: str, files: Sequence[Cells]) -> list[str]:
    filled = [cells for cells in files if cells.count]
    if len(filled) < 2:
        return []
    first, *others = filled
    known = {*map(same_word, first.values)}
    return [
        f"{cells.name}: column '{name}': none of its values is in {first.name}, such as {shown(cells.values[0])}"
        for cells in others
        if known.isdisjoint(map(same_word, cells.values))
    ]

"""Layout: where the header line of a delimited text is, and which sign separates its fields."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.core.errors import KitError, shown
from kit.reading.form import SIGNS, Form
from kit.reading.phrases import some

HEAD = 1 << 16  # the header line is within this many characters
ROWS = 20  # and within this many lines
csv.field_size_limit(1 << 30)  # a field may be a book


@dataclass(frozen=True)
class Layout:
    """How a delimited text is laid out.

    Attributes:
        separator: sign between two fields.
        names: names of the columns, without outer blanks; "" if the header has none.
        start: characters before the first row.
        lines: lines before the first row.
        notes: what is unusual.
    """

    separator: str
    names: tuple[str, ...]
    start: int
    lines: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """A row of fields; `line` is the number of lines up to its end, `end` the number of characters."""

    fields: list[str]
    line: int
    end: int


def records(text: str, separator: str, quotes: bool = True) -> Iterator[Record]:
    """The rows of a text, without blank lines."""
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in io.StringIO(text, newline=""):
            read += len(line)
            yield line

    reader = csv.reader(lines(), delimiter=separator, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE)
    for fields in reader:
        if fields:
            yield Record(fields, reader.line_num, read)


def layout_of(path: Path, text: str, form: Form, known: Sequence[str]) -> Layout:
    """Finds the header line and the separator.

    Args:
        text: the file, or its beginning.
        form: what the recipe states.
        known: columns that the task names, its id first.

    Raises:
        KitError: the text is empty, or its separator is not the stated one.
    """
    heads = {sign: _head(text, sign, form) for sign in ([form.separator] if form.separator else SIGNS)}
    if not any(heads.values()):
        raise KitError(f"{path.name}: the file is empty")
    if form.header:
        fitting = [sign for sign, rows in heads.items() if rows and len(rows[0].fields) == len(form.header)]
        sign = (fitting or list(heads))[0]
        refuse_separator(path, heads[sign][0].fields, form, sign)
        return Layout(sign, form.header, 0, 0)
    best = [
        (_score(record, place, known), sign, place) for sign, rows in heads.items() for place, record in enumerate(rows)
    ]
    score, sign, place = max(best, key=lambda found: found[0])
    place = place if score[0] else 0  # no line names a column that is known
    header, above = heads[sign][place], [sign.join(record.fields).strip(sign) for record in heads[sign][:place]]
    refuse_separator(path, header.fields, form, sign)
    notes = list[str]()
    if above:
        which = "line 1 is" if place == 1 else f"the first {place} lines are"
        notes = [f"{which} no header and left out: {shown(above[0])}"]
    return Layout(sign, tuple(name.strip() for name in header.fields), header.end, header.line, tuple(notes))


def _head(text: str, sign: str, form: Form) -> list[Record]:
    found = list[Record]()
    try:
        for record in records(text[:HEAD], sign, form.quotes):
            found.append(record)
            if len(found) == ROWS:
                break
    except csv.Error:  # the reader says so where it reads the rows
        pass
    return found


def _score(record: Record, place: int, known: Sequence[str]) -> tuple[int, int, int]:
    """How much a line is like the header: by the columns that it names, then by its fields; the first of equal ones."""
    names = {field.strip() for field in record.fields}
    return len(names.intersection(known)), len(record.fields), -place


def refuse_separator(path: Path, fields: Sequence[str], form: Form, used: str) -> None:
    """Refuses a first line that another sign than the stated one separates."""
    if form.separator is None:
        return
    for sign, name in SIGNS.items() if len(fields) == 1 else ():
        columns = [name.strip('"') for name in fields[0].split(sign)]
        if len(columns) == len(form.header) or (len(columns) > 1 and not form.header):
            has = "" if form.header else f"; its columns seem to be: {some(columns)}"
            raise KitError(f"{path.name}: separated by {name}, not {SIGNS[used]}{has}")

"""Quoting: which fields of a text of separated fields stand in quotes, so that a submission is quoted as its sample."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

HEAD = 1 << 16  # characters that are looked at


@dataclass(frozen=True)
class Quoting:
    """What stands in quotes although it need not.

    Attributes:
        header: the names of the columns do.
        columns: names of the columns all of whose fields do.
    """

    header: bool = False
    columns: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.header or bool(self.columns)

    def text(self, frame: pd.DataFrame, separator: str, decimal: str) -> str:
        """A frame as lines of fields, numbers as the shortest text that reads back as the same number."""
        lines = [[_field(str(name), separator, self.header) for name in frame.columns]]
        columns = []
        for name, column in frame.items():
            values = list(map(str, column))
            if pd.api.types.is_float_dtype(column):
                values = [value.replace(".", decimal) for value in values]
            columns.append([_field(value, separator, name in self.columns) for value in values])
        lines += map(list, zip(*columns, strict=True))
        return "".join(separator.join(fields) + "\n" for fields in lines)


PLAIN = Quoting()  # no field is in quotes that need not be


def quoting_of(text: str, separator: str, names: Sequence[str]) -> Quoting:
    """How the first lines of a text are quoted.

    Args:
        text: from its header line on.
        separator: between two fields.
        names: of the columns.
    """
    if '"' not in text[:HEAD]:
        return PLAIN
    sign = re.escape(separator)
    pattern = re.compile(rf'("(?:[^"]|"")*"|[^{sign}\r\n]*)({sign}|\r?\n|\r|$)')
    header, quoted, place = list[bool](), [True] * len(names), 0
    at, rows = 0, 0
    while at < min(len(text), HEAD) and (found := pattern.match(text, at)):
        in_quotes = found[1].startswith('"')
        if rows == 0:
            header.append(in_quotes)
        elif place < len(names):
            quoted[place] &= in_quotes
        at, ends = found.end(), found[2] != separator
        place, rows = (0, rows + 1) if ends else (place + 1, rows)
    columns = [name for name, all_are in zip(names, quoted, strict=True) if all_are] if rows > 1 else []
    return Quoting(bool(header) and all(header), tuple(columns))


def _field(value: str, separator: str, quoted: bool) -> str:
    if not quoted and not any(sign in value for sign in (separator, '"', "\n", "\r")):
        return value
    return '"' + value.replace('"', '""') + '"'

"""Form: the format of a competition's files, if it cannot be recognised."""

import csv
from dataclasses import dataclass
from typing import Any, Literal

SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Form:
    """The format of a competition's files. What is None is recognised from the content of each file.

    Attributes:
        separator: sign between two fields.
        header: columns of the train file, if files have no header line; a test file has these without the targets.
        quotes: fields may be in double quotes; if not, each line is a row and a quote is a plain character.
        encoding: encoding, such as "gb18030"; see Python's list of encodings.
        decimal: the decimal sign of numbers; the other one of point and comma separates thousands.
    """

    separator: Literal[",", ";", "\t", "|"] | None = None
    header: tuple[str, ...] = ()
    quotes: bool = True
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None

    @property
    def pandas(self) -> dict[str, Any]:
        """Arguments for `pandas.read_csv`."""
        return {"sep": self.separator or ","} | (
            {} if self.quotes else {"quoting": csv.QUOTE_NONE, "lineterminator": "\n"}
        )


CSV = Form()

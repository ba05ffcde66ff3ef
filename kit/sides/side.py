"""Side: the description of one side table, and where its rows belong."""

from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from kit.core.spec import Spec, validator
from kit.task import Types

Values = Annotated[
    tuple[int | float | str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, (int, float, str)) else v)
]

Made = Annotated[tuple[tuple[str, str], ...], BeforeValidator(lambda v: tuple(v.items()) if isinstance(v, dict) else v)]


class Side(Spec):
    """A table with any number of rows for each row of the competition, or for each row of another side table.

    sides = (
        Side(file="bureau.csv", key="SK_ID_CURR", time="DAYS_CREDIT"),
        Side(file="bureau_balance.csv", key="SK_ID_BUREAU", of="bureau", time="MONTHS_BALANCE"),
    )
    """

    file: str = Field(min_length=1, description="name of the file, delimited text or Parquet, plain or packed")
    key: str = Field(min_length=1, description="column that says to which row each of its rows belongs")
    name: str = Field("", description="what features call it; empty: the file's name without ending")
    of: str = Field("", description="the side table to whose rows its own belong; empty: rows of the competition")
    of_key: str = Field("", description="the key's column there; empty: it has the same name")
    time: str = Field("", description="column of numbers or dates that orders its rows, greater is later")
    row_time: str = Field(
        "", description="column of the competition's rows with their own time: later rows of the side do not count"
    )
    missing: Values = Field((), description="numbers and words that mean 'not known', such as 365243 and XNA")
    types: Types = Field((), description="columns that are not of the type that they seem to be: {'CODE': 'category'}")
    made: Made = Field((), description="further columns: {'late': 'paid_on - due_on', 'debt': 'owed / sum'}; + - * /")
    required: bool = Field(False, description="refuse a folder without the file; else it is left out, with a note")

    @validator(mode="after")
    def _fields_agree(self) -> "Side":
        if not self.name:
            object.__setattr__(self, "name", PurePath(self.file).name.partition(".")[0])
        for name, text in self.made:
            if len(text.split(" ")) != 3 or text.split(" ")[1] not in ("+", "-", "*", "/"):
                raise ValueError(f"made = {{'{name}': '{text}'}}: give two columns and a sign between blanks: 'a - b'")
        if self.row_time and not self.time:
            raise ValueError("row_time says which rows are too late, so time must name their own time")
        if self.row_time and self.of:
            raise ValueError(f"row_time belongs to '{self.of}', whose rows this table describes")
        return self

    @property
    def row_key(self) -> str:
        """The column with its keys in the rows that it belongs to."""
        return self.of_key or self.key

    def facts(self) -> dict[str, Any]:
        """What values of features depend on, apart from the file's bytes."""
        return {name: value for name, value in self.identity().items() if name not in ("file", "required")}


def checked_sides(sides: Side | tuple[Side, ...]) -> tuple[Side, ...]:
    """The sides of a recipe as a tuple, each after the one that it belongs to.

    Raises:
        ValueError: two have one name, or one belongs to a side that there is not, or to itself.
    """
    given = (sides,) if isinstance(sides, Side) else tuple(sides)
    if odd := [side for side in given if not isinstance(side, Side)]:
        raise ValueError(f"sides are Side(file=…, key=…), not {odd[0]!r}")
    names = [side.name for side in given]
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise ValueError(f"two side tables are called '{twice[0]}'; give one of them another name=")
    ordered = list[Side]()
    while len(ordered) < len(given):
        done = {"", *(side.name for side in ordered)}
        ready = [side for side in given if side.of in done and side not in ordered]
        if not ready:
            lost = next(side for side in given if side not in ordered)
            there = ", ".join(names)
            raise ValueError(f"side '{lost.name}' is of '{lost.of}', which is no side above it; there are: {there}")
        ordered.append(ready[0])
    return tuple(ordered)

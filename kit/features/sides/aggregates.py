"""SideAggregates: declared numbers about the rows of one side table."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kit.core.errors import KitError
from kit.features.sides.aggregate import TIMED, Aggregate, Statistic
from kit.features.sides.base import Plan, SideFeatures
from kit.sides.sides import Sides
from kit.sides.table import LEVELS, SideTable
from kit.task import Names

Of = Literal["mean", "min", "max", "sum", "std", "nunique", "last", "trend"]
SideStatistics = Annotated[tuple[Of, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]
By = Annotated[
    tuple[Literal["count", "share", "mean", "min", "max", "sum", "std"], ...],
    BeforeValidator(lambda v: (v,) if isinstance(v, str) else v),
]
Pairs = Annotated[
    tuple[tuple[str, str], ...], BeforeValidator(lambda v: tuple(v.items()) if isinstance(v, dict) else v)
]


class SideAggregates(SideFeatures):
    """How many rows of a side table belong to a row, and statistics of their columns.

        SideAggregates(side="bureau", columns=("AMT_CREDIT_SUM",), statistics=("mean", "last", "trend"))

    `last` is the mean of the values at the latest time, `trend` the slope of the least-squares line over the time, in
    units of the column a day (or a unit of the time). A key that does not occur gives count 0 and missing others. The
    rows of a side table that belongs to another one are aggregated to its rows, and these by `then`.
    """

    side: str = Field(description="name of the side table")
    columns: Names = Field((), description="columns of numbers; empty: all of them, without keys")
    statistics: SideStatistics = Field(("mean", "min", "max", "sum", "std"), description="of each column of numbers")
    categories: Names = Field((), description="columns of categories, for figures by value")
    levels: int = Field(10, ge=1, le=LEVELS, description="most frequent values of each category that have such figures")
    by: By = Field(("share",), description="for each value: count or share of rows, or statistics of `columns` in them")
    last: int = Field(0, ge=0, description="only the last rows by time, so many, all of equal time; 0: all")
    window: float = Field(0.0, ge=0, description="only rows of so many days (units of time) before the row's; 0: all")
    ratios: Pairs = Field((), description="column → column of the row that its statistics are also divided by")
    then: SideStatistics = Field(("mean", "max"), description="how aggregates of a nested side table go on to the row")

    def plan(self, sides: Sides) -> Plan:
        if not _is_there(sides, self.side):
            return ()
        table = sides[self.side]
        columns = self.columns or number_columns(sides, table)
        for name in (*columns, *self.categories, *(column for column, _ in self.ratios)):
            table.check(name)
        for name in self.categories:
            if table.columns[name]["type"] != "category":
                raise KitError(
                    f"side '{self.side}': '{name}' is a {table.columns[name]['type']}, no category; "
                    f"state it as one: Side(types={{'{name}': 'category'}})"
                )
        made = [self._of("count")]
        for name in columns:
            made += [self._of(s, name) for s in self.statistics if not (s in TIMED and name == table.side.time)]
        for name in self.categories:
            if "nunique" in self.statistics:
                made.append(self._of("nunique", name))
            for value in table.levels(name, self.levels):
                level = name, value
                made += [self._of(s, None, level) for s in self.by if s in ("count", "share")]
                made += [self._of(s, c, level) for s in self.by if s not in ("count", "share") for c in columns]
        upward = lifted(sides, made, self.then)
        scaled = [s for s in self.statistics if s not in ("nunique", "trend")]
        divided = [(self._of(s, column), by) for column, by in self.ratios for s in scaled]
        for aggregate, by in divided:
            upward += [Aggregate(**{**vars(a), "per": by}) for a in lifted(sides, [aggregate], self.then)]
        return tuple(dict.fromkeys(upward))

    def _of(self, statistic: Statistic, of: str | None = None, level: tuple[str, str] | None = None) -> Aggregate:
        return Aggregate(self.side, statistic, of, level, self.last, self.window)


def lifted(sides: Sides, made: list[Aggregate], then: tuple[Statistic, ...]) -> list[Aggregate]:
    """Aggregates of a nested side table as aggregates of the side table whose rows belong to the competition's rows."""
    parent = sides[made[0].side].side.of if made else ""
    if not parent:
        return made
    counts = [Aggregate(parent, "sum", a) for a in made if a.counts_rows and "sum" not in then]
    return lifted(sides, [*counts, *(Aggregate(parent, s, a) for a in made for s in then)], then)


def number_columns(sides: Sides, table: SideTable) -> tuple[str, ...]:
    """The columns of numbers of a side table, without what some side table is joined by."""
    keys = {name for other in sides.values() for name in (other.side.key, other.side.row_key)}
    return tuple(name for name in table.of_type("number", "boolean") if name not in keys)


def category_columns(sides: Sides, table: SideTable) -> tuple[str, ...]:
    """The columns of categories of a side table, without what some side table is joined by."""
    keys = {name for other in sides.values() for name in (other.side.key, other.side.row_key)}
    return tuple(name for name in table.of_type("category") if name not in keys)


def _is_there(sides: Sides, name: str) -> bool:
    try:
        sides[name]
    except KeyError:  # its file is absent, which was said
        return False
    return True

"""DeepFeatures: numbers about all side tables, made without being declared one by one."""

from itertools import zip_longest
from typing import Annotated

from pydantic import BeforeValidator, Field

from kit.features.sides.aggregate import TIMED, Aggregate, Statistic
from kit.features.sides.aggregates import category_columns, lifted, number_columns
from kit.features.sides.base import Plan, SideFeatures
from kit.sides.sides import Sides
from kit.sides.table import LEVELS, SideTable
from kit.task import Names

DeepStatistics = Annotated[tuple[Statistic, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]
THEN: tuple[Statistic, ...] = ("mean", "max")


class DeepFeatures(SideFeatures):
    """Deep feature synthesis (Kanter and Veeramachaneni 2015, "Deep feature synthesis: towards automating data science
    endeavors"): each statistic of each column of each side table, and of what nested tables give to its rows.

    It is bounded: side tables take turns until there are `most` numbers, and each begins with what usually says most:
    how many rows there are, means, shares of categories, extremes.
    """

    depth: int = Field(2, ge=1, le=4, description="1: side tables of rows; 2: also those of their rows; and so on")
    most: int = Field(200, ge=1, description="how many numbers, at most")
    sides: Names = Field((), description="names of side tables; empty: all")
    statistics: DeepStatistics = Field(
        ("count", "mean", "share", "max", "min", "sum", "last", "std", "trend", "nunique"),
        description="which, in this order; last and trend where the side table has a time",
    )
    levels: int = Field(5, ge=1, le=LEVELS, description="most frequent values of each category whose share counts")
    ignore: Names = Field((), description="columns that are left out, in whichever side table they are")

    def plan(self, sides: Sides) -> Plan:
        for name in self.sides:
            if name not in sides.absent:
                sides[name]
        lists = list[list[Aggregate]]()
        for name, table in sides.items():
            depth, parent = 1, table.side.of
            while parent:
                depth, parent = depth + 1, sides[parent].side.of
            if depth <= self.depth and (not self.sides or name in self.sides):
                lists.append(lifted(sides, self._of(sides, table), THEN))
        turns = [aggregate for turn in zip_longest(*lists) for aggregate in turn if aggregate is not None]
        return tuple(dict.fromkeys(turns))[: self.most]

    def _of(self, sides: Sides, table: SideTable) -> list[Aggregate]:
        """All aggregates of one side table by its key, what usually says most first."""
        side, found = table.side.name, list[Aggregate]()
        numbers = [c for c in number_columns(sides, table) if c not in self.ignore]
        words = [c for c in category_columns(sides, table) if c not in self.ignore]
        for statistic in self.statistics:
            if statistic == "count":
                found.append(Aggregate(side, "count"))
            elif statistic == "share":
                found += [Aggregate(side, "share", level=(c, v)) for c in words for v in table.levels(c, self.levels)]
            elif statistic == "nunique":
                found += [Aggregate(side, "nunique", c) for c in words]
            elif statistic not in TIMED:
                found += [Aggregate(side, statistic, c) for c in numbers]
            elif table.side.time:
                found += [Aggregate(side, statistic, c) for c in numbers if c != table.side.time]
        return found

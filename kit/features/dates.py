"""DateFeatures: days between dates, and their parts on a circle."""

from itertools import combinations

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.features.base import Features
from kit.features.keys import check_columns
from kit.rows import Rows
from kit.source import Source
from kit.task import Names, Task

DAY_ZERO = np.datetime64("1970-01-01", "D")
PERIODS = {"month": (1, 12), "day": (1, 31), "weekday": (0, 7), "hour": (0, 24)}  # first value, number of values


class DateFeatures(Features):
    """Days between each two dates of a row, and their parts as points on a circle, so that December lies by January.

    The plain parts (year, month, weekday, …) and the days since the first date are columns already.
    """

    columns: Names = Field((), description="columns of dates; empty: all")
    differences: bool = Field(True, description="days between each two columns")
    circles: bool = Field(True, description="sine and cosine of month, day, weekday and hour, where they vary")

    def check(self, task: Task) -> None:
        check_columns(self, task, self.columns)

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return np.column_stack([*self._made(source).values()]).astype(np.float32)

    def names(self, rows: Rows) -> list[str]:
        return [*self._made(rows.source)]

    def _made(self, source: Source) -> dict[str, np.ndarray]:
        schema = source.schema
        dates = schema.of_type("date", source.frame) if schema else []
        for name in self.columns:
            if name not in dates:
                raise KitError(f"DateFeatures: '{name}' is no column of dates; there are: {', '.join(dates) or 'none'}")
        columns = self.columns or tuple(dates)
        made = dict[str, np.ndarray]()
        if schema is None or not columns:
            raise KitError("DateFeatures: there are no columns of dates")
        days = {}
        for name in columns:
            first = np.datetime64(schema.columns[name].first, "us") - DAY_ZERO.astype("datetime64[us]")
            days[name] = source.frame[name].to_numpy(np.float64) + first / np.timedelta64(1, "D")
        if self.differences:
            made |= {f"days from {a} to {b}": days[b] - days[a] for a, b in combinations(columns, 2)}
        if self.circles:
            for name in columns:
                for part in (part for part in PERIODS if part in schema.columns[name].parts):
                    first, count = PERIODS[part]
                    angle = (source.frame[f"{name} {part}"].to_numpy(np.float64) - first) / count * 2 * np.pi
                    made[f"{name} {part}, sine"], made[f"{name} {part}, cosine"] = np.sin(angle), np.cos(angle)
        if not made:
            raise KitError("DateFeatures: with these settings and one column of days there is nothing to make")
        return made

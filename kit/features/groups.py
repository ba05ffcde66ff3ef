"""GroupStatistics: how a row compares with the rows of its group."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from kit.features.keys import (
    KeyNames,
    Keys,
    check_columns,
    check_numbers,
    columns_of,
    learnt_keys,
    number_columns,
)
from kit.features.learnt import Learnt, originals
from kit.source import Arrays, Source
from kit.task import Names, Task

PLAIN = ("mean", "std", "min", "max", "median")  # of a column in the group
OfGroup = Literal["mean", "std", "min", "max", "median", "count", "share", "rank", "ratio", "difference"]
GroupOf = Annotated[tuple[OfGroup, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]


class GroupStatistics(Learnt):
    """Statistics of the rows that have the same values in one column, or in two.

        GroupStatistics(by=("city", ("city", "trade")), columns=("income",), statistics=("mean", "ratio", "rank"))

    All known rows count, test rows too. `count` and `share` are those of the group's rows; `rank` is the share of the
    group's values up to the row's own, half of equal ones counted; `ratio` and `difference` compare with the group's
    mean. A group that is not known has no statistics, and count 0; a missing value makes a group of its own.
    """

    by: KeyNames = Field(min_length=1, description="columns, or pairs of them, whose values are groups")
    columns: Names = Field((), description="columns of numbers; empty: all that are no group")
    statistics: GroupOf = Field(("mean", "std", "difference"), min_length=1, description="of each column and group")

    def check(self, task: Task) -> None:
        check_columns(self, task, [*self.columns, *(name for key in self.by for name in columns_of(key))])

    def learn(self, source: Source, task: Task) -> Arrays:
        check_numbers(self, source, self.columns)
        frame, groups = originals(source), {name for key in self.by for name in columns_of(key)}
        columns = self.columns or tuple(name for name in number_columns(source, task) if name not in groups)
        arrays = learnt_keys(frame, self.by) | {"columns": np.array(columns, dtype=str)}
        keys = Keys(self.by, arrays, "")
        codes = keys.codes_of(frame)
        for i, size in enumerate(keys.sizes):
            arrays[f"{i}-count"] = np.bincount(codes[:, i], minlength=size).astype(np.float64)
            for j, name in enumerate(columns):
                values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
                grouped = pd.Series(values).groupby(codes[:, i])
                for statistic in PLAIN:
                    if statistic in self.statistics or (
                        statistic == "mean" and {"ratio", "difference"} & {*self.statistics}
                    ):
                        arrays[f"{i}-{statistic}-{j}"] = grouped.agg(statistic).reindex(range(size)).to_numpy(float)
                if "rank" in self.statistics:
                    known = ~np.isnan(values)
                    arrays[f"levels-{j}"] = np.unique(values[known])
                    places = _places(codes[known, i], values[known], arrays[f"levels-{j}"])
                    arrays[f"{i}-order-{j}"] = np.sort(places)
        return arrays

    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        keys, made = Keys(self.by, learnt, ""), dict[str, np.ndarray]()
        codes = keys.codes_of(frame)
        columns = [str(name) for name in learnt["columns"]]
        for i, key in enumerate(keys.names):
            at = codes[:, i]
            count = np.append(learnt[f"{i}-count"], 0.0)
            if "count" in self.statistics:
                made[f"count by {key}"] = count[at]
            if "share" in self.statistics:
                made[f"share by {key}"] = count[at] / max(count.sum(), 1.0)
            for j, name in enumerate(columns):
                own = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
                for statistic in self.statistics:
                    if statistic in PLAIN:
                        made[f"{statistic} of {name} by {key}"] = np.append(learnt[f"{i}-{statistic}-{j}"], np.nan)[at]
                    elif statistic == "rank":
                        made[f"rank of {name} by {key}"] = _rank(
                            at, own, learnt[f"levels-{j}"], learnt[f"{i}-order-{j}"]
                        )
                    elif statistic in ("ratio", "difference"):
                        mean = np.append(learnt[f"{i}-mean-{j}"], np.nan)[at]
                        compared = own / np.where(mean == 0, np.nan, mean) if statistic == "ratio" else own - mean
                        made[f"{statistic} of {name} to its mean by {key}"] = compared
        return pd.DataFrame(made)


def _places(codes: np.ndarray, values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Numbers that are in order by group and, within it, by value."""
    return codes.astype(np.int64) * (2 * len(levels) + 2) + _level(values, levels)


def _level(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Odd: the place of a level; even: between two of them."""
    left, right = np.searchsorted(levels, values, "left"), np.searchsorted(levels, values, "right")
    return left + right


def _rank(codes: np.ndarray, values: np.ndarray, levels: np.ndarray, order: np.ndarray) -> np.ndarray:
    places = _places(codes, values, levels)
    width = 2 * len(levels) + 2
    first, end = (np.searchsorted(order, (codes.astype(np.int64) + step) * width) for step in (0, 1))
    below, upto = np.searchsorted(order, places, "left"), np.searchsorted(order, places, "right")
    middle = (below + upto + 1) / 2 - first
    with np.errstate(divide="ignore", invalid="ignore"):
        rank = np.minimum(middle / (end - first), 1.0)
    return np.where((codes < 0) | np.isnan(values) | (end == first), np.nan, rank)

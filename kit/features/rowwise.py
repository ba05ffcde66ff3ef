"""Features of a row over its columns: statistics of its numbers, and which cells are missing."""

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.features.keys import check_columns, check_numbers, number_columns
from kit.features.learnt import Learnt, originals
from kit.source import Arrays, Source
from kit.task import Names, Task


class RowStatistics(Learnt):
    """Mean, spread, least, greatest and sum of a row's numbers, and how many of them are 0.

    Useful for columns of one unit, such as monthly amounts; `standardised` makes others comparable, by mean and spread
    of all known rows.
    """

    columns: Names = Field((), description="columns of numbers; empty: all")
    standardised: bool = Field(False, description="numbers are standardised before")

    def check(self, task: Task) -> None:
        check_columns(self, task, self.columns)

    def learn(self, source: Source, task: Task) -> Arrays:
        check_numbers(self, source, self.columns)
        columns = self.columns or tuple(number_columns(source, task))
        if not columns:
            raise KitError("RowStatistics: there are no columns of numbers")
        numbers = _numbers(originals(source), columns)
        known = np.where(np.isfinite(numbers), numbers, np.nan)
        count = np.maximum((~np.isnan(known)).sum(axis=0), 1)
        mean = np.nansum(known, axis=0) / count
        std = np.sqrt(np.nansum((known - mean) ** 2, axis=0) / count)
        return {"columns": np.array(columns, dtype=str), "mean": mean, "std": np.where(std > 0, std, 1.0)}

    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        numbers = _numbers(frame, [*map(str, learnt["columns"])])
        if self.standardised:
            numbers = (numbers - learnt["mean"]) / learnt["std"]
        table = pd.DataFrame(numbers)
        words = "standardised numbers" if self.standardised else "numbers"
        made = {f"{how} of the row's {words}": table.agg(how, axis=1) for how in ("mean", "std", "min", "max", "sum")}
        return pd.DataFrame(
            made | {"zeros in the row": (_numbers(frame, learnt["columns"]) == 0).sum(axis=1)}, dtype=float
        )


class MissingPatterns(Learnt):
    """How many cells of a row are missing, which ones, and the pattern of them as a category.

    A column has an indicator if some of the known rows have no value in it; columns that are missing together share
    one. The most frequent patterns are values of the category; all others are one value.
    """

    columns: Names = Field((), description="columns that are looked at; empty: all")
    most: int = Field(20, ge=1, description="most frequent patterns; the others are one")

    def check(self, task: Task) -> None:
        check_columns(self, task, self.columns)

    def learn(self, source: Source, task: Task) -> Arrays:
        frame = originals(source)
        columns = np.array(self.columns or task.tabular(frame.columns), dtype=str)
        gaps = frame[columns].isna().to_numpy()
        some = np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0))
        _, first, together = np.unique(gaps[:, some], axis=1, return_index=True, return_inverse=True)
        order = np.argsort(first)
        shown = some[first[order]]
        names = [", ".join(columns[some[together.reshape(-1) == group]][:3]) for group in order]
        patterns, counts = np.unique(gaps[:, shown], axis=0, return_counts=True)
        frequent = np.argsort(-counts, kind="stable")[: self.most]
        return {"columns": columns, "shown": shown, "names": np.array(names, dtype=str), "patterns": patterns[frequent]}

    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        gaps = frame[learnt["columns"]].isna().to_numpy()
        shown = gaps[:, learnt["shown"]]
        made: dict[str, np.ndarray] = {"missing cells": gaps.sum(axis=1).astype(np.float64)}
        made |= {f"{name} missing": shown[:, i].astype(np.float64) for i, name in enumerate(map(str, learnt["names"]))}
        if shown.shape[1]:
            known = {row.tobytes(): f"pattern {i + 1}" for i, row in enumerate(learnt["patterns"])}
            made["pattern of missing cells"] = np.array([known.get(row.tobytes(), "another") for row in shown], object)
        return pd.DataFrame(made)


def _numbers(frame: pd.DataFrame, columns: "list[str] | tuple[str, ...] | np.ndarray") -> np.ndarray:
    return frame[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)

"""NeighbourTargets: the mean label of the nearest train rows."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.threads import threads
from kit.features.base import Features, FittedFeatures
from kit.features.keys import check_columns, check_numbers, load_arrays, save_arrays
from kit.features.targets import inner_folds, label_columns
from kit.rows import Rows
from kit.task import Names, Task

BLOCK = 2_000_000  # neighbours that are looked up at once


class NeighbourTargets(Features):
    """Mean label of the k train rows that are nearest in a few columns of numbers.

    With the scores of three offices and the length of the loan as columns and k = 500, it was the strongest feature of
    the team that won Home Credit (2018). Columns are standardised by the train rows, and missing numbers are their
    median. A train row looks only at rows outside its own inner fold, so its own label is no part of its value; rows
    that folds keep together share an inner fold.
    """

    columns: Names = Field(min_length=1, description="columns of numbers that say what is near; three to six are usual")
    k: int = Field(500, ge=1, description="neighbours")
    inner: int = Field(5, ge=2, description="inner folds of the train rows")
    seed: int = Field(0, ge=0, description="draws the inner folds")

    def check(self, task: Task) -> None:
        check_columns(self, task, self.columns)

    def fit_transform(self, train: Rows) -> "tuple[FittedNeighbours, pd.DataFrame]":
        check_numbers(self, train.source, self.columns)
        order = np.argsort(train.at, kind="stable")
        rows = train.take(order)  # neighbours of equal distance: the first in the source, whatever the order of rows
        y, targets = label_columns(rows)
        numbers = _numbers(rows, self.columns)
        known = np.isfinite(numbers)
        center = np.array([np.median(c[ok]) if ok.any() else 0.0 for c, ok in zip(numbers.T, known.T, strict=True)])
        spread = np.array([np.std(c[ok]) if ok.any() else 0.0 for c, ok in zip(numbers.T, known.T, strict=True)])
        names = [f"mean of {target} of {self.k} neighbours by {', '.join(self.columns)}" for target in targets]
        scale = np.stack([center, np.where(spread > 0, spread, 1.0)])
        fitted = FittedNeighbours(self.columns, self.k, names, scale, _scaled(numbers, scale), y)
        plan, crossed = inner_folds(rows, self.inner, self.seed), np.empty_like(y)
        for fold in range(int(plan.max()) + 1):
            inside = plan == fold
            crossed[inside] = mean_of_neighbours(fitted.points[~inside], y[~inside], fitted.points[inside], self.k)
        values = np.empty_like(crossed)
        values[order] = crossed
        return fitted, pd.DataFrame(values, columns=names)


class FittedNeighbours(FittedFeatures):
    """The train rows as points.

    Args:
        columns: of numbers.
        k: neighbours.
        names: of the features, one for each target or class.
        scale: (2, columns) median, which missing numbers have, and spread.
        points: (n, columns) scaled train rows.
        y: (n, outputs) their labels.
    """

    def __init__(
        self, columns: tuple[str, ...], k: int, names: list[str], scale: np.ndarray, points: np.ndarray, y: np.ndarray
    ) -> None:
        self.columns, self.k, self.names = columns, k, names
        self.scale, self.points, self.y = scale, points, y

    def transform(self, rows: Rows) -> pd.DataFrame:
        points = _scaled(_numbers(rows, self.columns), self.scale)
        return pd.DataFrame(mean_of_neighbours(self.points, self.y, points, self.k), columns=self.names)

    def save(self, folder: Path) -> None:
        write_json(folder / "neighbours.json", {"columns": self.columns, "k": self.k, "names": self.names})
        save_arrays(folder / "neighbours.npz", {"scale": self.scale, "points": self.points, "y": self.y})

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved, arrays = read_json(folder / "neighbours.json"), load_arrays(folder / "neighbours.npz")
        return cls(tuple(saved["columns"]), saved["k"], [*map(str, saved["names"])],
                   arrays["scale"], arrays["points"], arrays["y"])  # fmt: skip


def mean_of_neighbours(points: np.ndarray, y: np.ndarray, others: np.ndarray, k: int) -> np.ndarray:
    """(m, outputs) mean of the known labels of the k nearest points; all of them where there are fewer than k.

    Neighbours are found by a tree, a block of rows at a time: no more than 2 million neighbours are in memory.

    Raises:
        KitError: there are no points.
    """
    from sklearn.neighbors import NearestNeighbors

    if not len(points):
        raise KitError("NeighbourTargets: there are no train rows to look at")
    k = min(k, len(points))
    finder = NearestNeighbors(n_neighbors=k, n_jobs=threads()).fit(points)
    whole = np.nanmean(y, axis=0) if len(y) else np.full(y.shape[1], np.nan)
    known = ~np.isnan(y)
    filled, found = np.where(known, y, 0.0), np.empty((len(others), y.shape[1]))
    for start in range(0, len(others), step := max(1, BLOCK // k)):
        near = finder.kneighbors(others[start : start + step], return_distance=False)
        for j in range(y.shape[1]):
            count = known[near, j].sum(axis=1)
            total = filled[near, j].sum(axis=1)
            found[start : start + step, j] = np.where(count > 0, total / np.maximum(count, 1), whole[j])
    return found


def _numbers(rows: Rows, columns: tuple[str, ...]) -> np.ndarray:
    return rows.source.frame[list(columns)].iloc[rows.at].to_numpy(dtype=np.float64, na_value=np.nan)


def _scaled(numbers: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return (np.where(np.isfinite(numbers), numbers, scale[0]) - scale[0]) / scale[1]

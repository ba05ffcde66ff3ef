"""Arithmetic: sums, differences, products and ratios of two columns, of which trees choose the best."""

from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.threads import threads
from kit.features.base import Features, FittedFeatures
from kit.features.keys import check_columns, check_numbers, number_columns
from kit.features.targets import label_columns
from kit.rows import Rows
from kit.task import Names, Task

Operation = Literal["sum", "difference", "product", "ratio"]
Operations = Annotated[tuple[Operation, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]
SIGNS = {"sum": "+", "difference": "−", "product": "×", "ratio": "/"}
ROWS = 50_000  # train rows at most that the choice is made on
TREES = 100


class Arithmetic(Features):
    """Sums, differences, products and ratios of each two columns; the best of them stay.

    A small LightGBM on the fold's train rows gives each column its gain; the `most` best columns are paired, and a
    second one, on these columns and all their pairs, keeps the `keep` pairs of greatest gain. The choice reads labels
    of train rows only; the values of a row read none. It takes two fits of 100 small trees for each target.
    """

    columns: Names = Field((), description="columns of numbers that are paired; empty: the best of all")
    operations: Operations = Field(("difference", "ratio"), min_length=1, description="what is made of two columns")
    most: int = Field(12, ge=2, description="columns that are paired, where `columns` is empty")
    keep: int = Field(20, ge=1, description="pairs that stay")
    seed: int = Field(0, ge=0, description="of the rows and trees that choose")

    def check(self, task: Task) -> None:
        check_columns(self, task, self.columns)

    def fit_transform(self, train: Rows) -> "tuple[FittedArithmetic, pd.DataFrame]":
        check_numbers(self, train.source, self.columns)
        columns = list(self.columns or number_columns(train.source, train.task))
        if len(columns) < 2:
            raise KitError("Arithmetic: it needs two columns of numbers")
        at = np.sort(np.random.default_rng(self.seed).permutation(np.sort(train.at))[:ROWS])
        some = train.take(np.flatnonzero(np.isin(train.at, at)))
        some = some.take(np.argsort(some.at, kind="stable"))  # the order of rows does not matter
        y, frame = label_columns(some)[0], some.frame[columns].astype(float)
        if not self.columns and len(columns) > self.most:
            best = np.argsort(-gains(frame, y, some.task, self.seed), kind="stable")[: self.most]
            columns = [columns[i] for i in sorted(best)]
        pairs = [(a, b, operation) for a, b in combinations(columns, 2) for operation in self.operations]
        if len(pairs) > self.keep:
            made = FittedArithmetic(pairs).transform(some)
            found = gains(pd.concat([frame[columns], made], axis=1), y, some.task, self.seed)[len(columns) :]
            pairs = [pairs[i] for i in sorted(np.argsort(-found, kind="stable")[: self.keep])]
        fitted = FittedArithmetic(pairs)
        return fitted, fitted.transform(train)


class FittedArithmetic(FittedFeatures):
    """The pairs that stay.

    Args:
        pairs: first column, second column, operation.
    """

    def __init__(self, pairs: list[tuple[str, str, Any]]) -> None:
        self.pairs = pairs

    def transform(self, rows: Rows) -> pd.DataFrame:
        columns = list(dict.fromkeys(name for a, b, _ in self.pairs for name in (a, b)))
        frame = rows.source.frame[columns].iloc[rows.at]
        values = {c: frame[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in columns}
        return pd.DataFrame({f"{a} {SIGNS[o]} {b}": _computed(values[a], values[b], o) for a, b, o in self.pairs})

    def save(self, folder: Path) -> None:
        write_json(folder / "pairs.json", self.pairs)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls([(str(a), str(b), operation) for a, b, operation in read_json(folder / "pairs.json")])


def _computed(a: np.ndarray, b: np.ndarray, operation: Operation) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        if operation == "ratio":
            return a / np.where(b == 0, np.nan, b)
        return a + b if operation == "sum" else a - b if operation == "difference" else a * b


def gains(frame: pd.DataFrame, y: np.ndarray, task: Task, seed: int) -> np.ndarray:
    """(columns,) gain of each column in small LightGBMs, one for each column of labels.

    Args:
        frame: (n, columns) numbers, or pandas categories.
        y: (n, outputs) labels, NaN where unknown.
        task: its kind.
        seed: of the columns and rows of each tree.
    """
    import lightgbm as lgb

    x = frame.set_axis([f"column{i}" for i in range(len(frame.columns))], axis=1)
    settings = {
        "objective": "regression" if task.kind == "regression" else "binary", "num_leaves": 15, "learning_rate": 0.1,
        "feature_fraction": 0.5, "min_data_in_leaf": 20, "seed": seed, "deterministic": True, "force_row_wise": True,
        "num_threads": threads(), "verbosity": -1,
    }  # fmt: skip
    total = np.zeros(len(frame.columns))
    for labels in y.T:
        known = ~np.isnan(labels)
        values = labels[known]
        if task.kind == "regression":  # targets of several units count alike
            values = (values - values.mean()) / (values.std() or 1.0)
        total += lgb.train(settings, lgb.Dataset(x[known], values), TREES).feature_importance("gain")
    return total

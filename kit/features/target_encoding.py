"""TargetEncoding: what the labels of a group's other rows are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.spec import validator
from kit.features.base import Features, FittedFeatures
from kit.features.keys import (
    KeyNames,
    Keys,
    category_columns,
    check_columns,
    columns_of,
    load_arrays,
    save_arrays,
)
from kit.features.targets import inner_folds, label_columns
from kit.rows import Rows
from kit.task import Names, Task

SPREAD_ROWS = 10.0  # with smooth="auto": rows of the whole that a group's spread is mixed with


class TargetEncoding(Features):
    """Statistics of the labels of a group of rows, for members that find categories of many values hard.

    The groups are the values of a column, or of two. Means are drawn to that of all rows: by `smooth` rows of it, or
    with "auto" by empirical Bayes (Micci-Barreca 2001), as scikit-learn's TargetEncoder does. A train row has the value
    of an encoding that was fitted without the inner fold that it is in, so its own label is no part of it; rows that
    folds keep together share an inner fold. Other rows have the encoding of all train rows; a group that these do not
    know has that of all rows. Several targets and several classes have a column each; missing labels are left out.

    `count` is the number of a group's train rows; `q25` is the quartile of their labels, without smoothing.
    """

    keys: KeyNames = Field((), description="columns, or pairs of them, whose values are groups; empty: all categories")
    statistics: Names = Field(("mean",), min_length=1, description="mean, std, count, or quantiles such as q25")
    smooth: Literal["auto"] | Annotated[float, Field(ge=0)] = Field(
        "auto", description="rows of the whole that each group is mixed with; auto: by empirical Bayes"
    )
    inner: int = Field(5, ge=2, description="inner folds of the train rows")
    seed: int = Field(0, ge=0, description="draws the inner folds")

    @validator(mode="after")
    def _statistics_are_known(self) -> Self:
        for name in self.statistics:
            if name not in ("mean", "std", "count") and not re.fullmatch(r"q\d\d?", name):
                raise ValueError(f"statistic '{name}' is unknown; there are mean, std, count, and q25 for a quantile")
        return self

    def check(self, task: Task) -> None:
        check_columns(self, task, [name for key in self.keys for name in columns_of(key)])

    def groups(self, rows: Rows) -> Keys:
        """The groups of the source's rows, found once.

        Raises:
            KitError: there are no categories.
        """
        keys = self.keys or tuple(category_columns(rows.source, rows.task))
        if not keys:
            raise KitError("TargetEncoding: there are no columns of categories; name columns in keys")
        return Keys.of(rows.source, keys)

    def prepare(self, rows: Rows) -> None:
        self.groups(rows).codes(rows)

    def fit_transform(self, train: Rows) -> "tuple[FittedTargetEncoding, pd.DataFrame]":
        keys = self.groups(train)
        y, targets = label_columns(train)
        plan = inner_folds(train, self.inner, self.seed)
        tables, crossed = encode(self, keys.codes(train), keys.sizes, y, plan)
        names = [
            f"{statistic} of {target} by {key}"
            for target in targets
            for statistic in self.statistics
            for key in keys.names
        ]
        return FittedTargetEncoding(keys, tables, names), pd.DataFrame(crossed, columns=names)


class FittedTargetEncoding(FittedFeatures):
    """The encodings of all train rows.

    Args:
        keys: the groups.
        tables: (columns / keys, groups of all keys + keys) values, after the groups of each key that of unknown ones.
        names: of the columns: by target, then statistic, then key.
    """

    def __init__(self, keys: Keys, tables: np.ndarray, names: list[str]) -> None:
        self.keys, self.tables, self.names = keys, tables, names

    def transform(self, rows: Rows) -> pd.DataFrame:
        at = _places(self.keys.codes(rows), self.keys.sizes)
        return pd.DataFrame(np.hstack([table[at] for table in self.tables]), columns=self.names)

    def save(self, folder: Path) -> None:
        self.keys.save(folder)
        save_arrays(folder / "tables.npz", {"tables": self.tables})
        write_json(folder / "names.json", self.names)

    @classmethod
    def load(cls, folder: Path) -> Self:
        tables = load_arrays(folder / "tables.npz")["tables"]
        return cls(Keys.load(folder), tables, [*map(str, read_json(folder / "names.json"))])


def encode(
    spec: TargetEncoding, codes: np.ndarray, sizes: list[int], y: np.ndarray, plan: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Encodings of all train rows, and the cross-fitted values of these rows; all keys and inner folds at once.

    Args:
        spec: settings.
        codes: (n, keys) number of each row's group.
        sizes: number of groups of each key.
        y: (n, outputs) labels, NaN where unknown.
        plan: (n,) inner fold of each row.

    Returns:
        (outputs · statistics, groups + keys) and (n, outputs · statistics · keys) float64.
    """
    at, widths = np.asfortranarray(_places(codes, sizes)), [size + 1 for size in sizes]
    tables, values = list[np.ndarray](), list[np.ndarray]()
    for column in y.T:
        known = ~np.isnan(column)
        if known.all():
            sums = _Sums(at, column, plan, widths, int(plan.max()) + 1)
        else:
            sums = _Sums(np.asfortranarray(at[known]), column[known], plan[known], widths, int(plan.max()) + 1)
        for statistic in spec.statistics:
            made = sums.quantile(float(statistic[1:]) / 100) if statistic[0] == "q" else sums.table(spec, statistic)
            tables.append(made[-1])  # the last one is that of all rows
            values += [made[plan, places] for places in at.T]
    return np.stack(tables), np.stack(values, axis=1)


def _places(codes: np.ndarray, sizes: list[int]) -> np.ndarray:
    """(n, keys) position in a table of the groups of all keys, each followed by a place for unknown ones."""
    start = np.concatenate([[0], np.cumsum([size + 1 for size in sizes])[:-1]]).astype(np.int64)
    return np.where(codes < 0, np.array(sizes), codes) + start


class _Sums:
    """Counts and sums of labels by group, of the rows outside each inner fold and, last, of all rows."""

    def __init__(self, at: np.ndarray, y: np.ndarray, plan: np.ndarray, widths: list[int], folds: int) -> None:
        self.at, self.y, self.plan, self.widths, self.folds = at, y, plan, widths, folds
        self.binary = bool(((y == 0) | (y == 1)).all())
        self.center = 0.0 if self.binary or not len(y) else float(y.mean())  # squares of large numbers lose digits
        z = y - self.center
        if self.binary:  # rows of label 0 and of label 1, counted at once
            pairs = [*self._by_key(2 * plan + y.astype(np.int64), None, 2 * folds)]
            zeros, ones = (np.hstack([pair[label::2] for pair in pairs]) for label in (0, 1))
            inside = [zeros + ones, ones, ones]
        else:
            inside = [np.hstack([*self._by_key(plan, weights, folds)]) for weights in (None, z, z**2)]
        self.n, self.s, self.s2 = map(_outside, inside)
        own = [np.bincount(plan, weights, minlength=folds)[:, None].astype(float) for weights in (None, z, z**2)]
        self.total = [_outside(whole) for whole in own]

    def _by_key(self, rows: np.ndarray, weights: np.ndarray | None, count: int) -> Iterator[np.ndarray]:
        """(count, groups) of each key: the sum of `weights` over the rows of each number in `rows` and each group."""
        start = 0
        for places, width in zip(self.at.T, self.widths, strict=True):
            cells = rows * width + (places - start)
            yield np.bincount(cells, weights, minlength=count * width).astype(np.float64).reshape(count, width)
            start += width

    def table(self, spec: TargetEncoding, statistic: str) -> np.ndarray:
        """(folds + 1, groups) of mean, spread or count."""
        n, (whole, total, total2) = self.n, self.total
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = total / whole
            var = np.maximum(total2 / whole - mean**2, 0)
            if statistic == "count":  # says nothing of labels, so that train rows and others have the same
                return np.repeat(n[-1:], len(n), axis=0)
            if statistic == "std":
                extra = SPREAD_ROWS if spec.smooth == "auto" else float(spec.smooth)
                own = np.maximum(self.s2 - self.s**2 / np.maximum(n, 1), 0)
                return np.sqrt(np.where(n + extra > 0, (own + extra * var) / (n + extra), var))
            if spec.smooth == "auto":
                own = np.maximum(self.s2 / n - (self.s / n) ** 2, 0)
                share = var * n / (var * n + own)
                found = np.where(np.isnan(share), mean, share * (self.s / n) + (1 - share) * mean)
            else:
                smooth = float(spec.smooth)
                found = np.where(n + smooth > 0, (self.s + smooth * mean) / (n + smooth), mean)
        return np.where(n > 0, found, mean) + self.center

    def quantile(self, q: float) -> np.ndarray:
        """(folds + 1, groups) quantile of the labels; of all rows' for a group without any."""
        found = np.empty((self.folds + 1, sum(self.widths)))
        for fold in range(self.folds + 1):
            rest = self.plan != fold
            y = self.y[rest]
            found[fold] = np.quantile(y, q) if len(y) else np.nan
            for at in self.at[rest].T:
                order = np.lexsort((y, at))
                cells, first, count = np.unique(at[order], return_index=True, return_counts=True)
                place = first + q * (count - 1)
                low = np.floor(place).astype(int)
                high = np.minimum(low + 1, first + count - 1)
                found[fold, cells] = y[order][low] + (place - low) * (y[order][high] - y[order][low])
        return found


def _outside(inside: np.ndarray) -> np.ndarray:
    """(folds + 1, width): the sum over all other folds, then that over all."""
    total = inside.sum(axis=0, keepdims=True)
    return np.vstack([total - inside, total])

"""Categories made of categories and numbers: how frequent, rare ones together, crosses, numbers as categories."""

from itertools import combinations

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.features.keys import (
    Key,
    KeyNames,
    Keys,
    category_columns,
    check_columns,
    check_numbers,
    columns_of,
    learnt_keys,
    number_columns,
    places_in,
)
from kit.features.learnt import Learnt, originals
from kit.source import Arrays, Source
from kit.task import Names, Task

RARE = "rare"


class FrequencyEncoding(Learnt):
    """Share of the known rows that have a row's value in a column, or in two; 0 for a value that is not known."""

    keys: KeyNames = Field((), description="columns, or pairs of them; empty: all categories")

    def check(self, task: Task) -> None:
        check_columns(self, task, [name for key in self.keys for name in columns_of(key)])

    def learn(self, source: Source, task: Task) -> Arrays:
        keys, frame = self.keys or _categories(self, source, task), originals(source)
        arrays = learnt_keys(frame, keys) | _written(keys)
        found = Keys(keys, arrays, "")
        codes = found.codes_of(frame)
        for i, size in enumerate(found.sizes):
            arrays[f"{i}-share"] = np.bincount(codes[:, i], minlength=size) / max(len(frame), 1)
        return arrays

    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        keys = Keys(_read(learnt), learnt, "")
        codes = keys.codes_of(frame)
        shares = [np.append(learnt[f"{i}-share"], 0.0)[codes[:, i]] for i in range(len(keys.keys))]
        return pd.DataFrame({f"frequency of {name}": share for name, share in zip(keys.names, shares, strict=True)})


class RareLevels(Learnt):
    """Categories whose rare values, and those that are not known, are one value. Missing values stay missing."""

    columns: Names = Field((), description="columns of categories; empty: all")
    least: int = Field(20, ge=1, description="rows that a value needs to stay, of all known ones")

    def check(self, task: Task) -> None:
        check_columns(self, task, self.columns)

    def learn(self, source: Source, task: Task) -> Arrays:
        arrays = {"columns": np.array(self.columns or _categories(self, source, task), dtype=str)}
        for i, name in enumerate(arrays["columns"]):
            counts = originals(source)[name].dropna().map(str).value_counts()
            arrays[f"{i}-kept"] = np.array(sorted(counts.index[counts >= self.least]), dtype=str)
        return arrays

    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        made = {}
        for i, name in enumerate(map(str, learnt["columns"])):
            kept = learnt[f"{i}-kept"]
            places = places_in(kept, frame[name])
            made[f"{name}, rare ones together"] = np.array([*kept, None, RARE], dtype=object)[places]
        return pd.DataFrame(made)


class Crosses(Learnt):
    """Pairs of columns as one category: its values are the pairs of values; rare and unknown pairs are one value."""

    pairs: tuple[tuple[str, str], ...] = Field(
        (), description="columns that are crossed; empty: all pairs of categories"
    )
    least: int = Field(20, ge=1, description="rows that a pair of values needs to stay, of all known ones")
    most: int = Field(50, ge=1, description="pairs of columns at most, where `pairs` is empty: those of fewest values")

    def check(self, task: Task) -> None:
        check_columns(self, task, [name for pair in self.pairs for name in pair])

    def learn(self, source: Source, task: Task) -> Arrays:
        frame = originals(source)
        pairs = self.pairs
        if not pairs:
            columns = _categories(self, source, task)
            sizes = {name: frame[name].nunique() for name in columns}
            ordered = sorted(combinations(columns, 2), key=lambda pair: sizes[pair[0]] * sizes[pair[1]])
            pairs = tuple(ordered[: self.most])
            if not pairs:
                raise KitError("Crosses: there is one column of categories alone; name two columns in pairs")
        arrays = learnt_keys(frame, pairs) | _written(pairs)
        found = Keys(pairs, arrays, "")
        codes = found.codes_of(frame)
        for i, size in enumerate(found.sizes):
            arrays[f"{i}-stays"] = np.bincount(codes[:, i], minlength=size) >= self.least
        return arrays

    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        keys = Keys(_read(learnt), learnt, "")
        codes, made = keys.codes_of(frame), {}
        for i, name in enumerate(keys.names):
            levels = [[*map(_word, learnt[f"{i}-{j}"]), "missing"] for j in (0, 1)]
            words = [
                f"{levels[0][cell // len(levels[1])]} × {levels[1][cell % len(levels[1])]}" if stays else RARE
                for cell, stays in zip(learnt[f"{i}-cells"], learnt[f"{i}-stays"], strict=True)
            ]
            made[name] = np.array([*words, RARE], dtype=object)[codes[:, i]]
        return pd.DataFrame(made)


class NumbersAsCategories(Learnt):
    """Columns of numbers as categories: each number is a value, or each of `bins` ranges between quantiles."""

    columns: Names = Field((), description="columns of numbers; empty: those of at most `most` different numbers")
    most: int = Field(30, ge=2, description="different numbers at most, where `columns` is empty")
    bins: int = Field(0, ge=0, description="ranges of about equally many known rows; 0: each number is a value")

    def check(self, task: Task) -> None:
        check_columns(self, task, self.columns)

    def learn(self, source: Source, task: Task) -> Arrays:
        check_numbers(self, source, self.columns)
        frame = originals(source)
        few = [name for name in number_columns(source, task) if frame[name].nunique() <= self.most]
        columns = self.columns or tuple(few)
        if not columns:
            raise KitError(f"NumbersAsCategories: no column has at most {self.most} different numbers; name columns")
        arrays = {"columns": np.array(columns, dtype=str)}
        for i, name in enumerate(columns):
            known = frame[name].dropna().to_numpy(dtype=np.float64)
            if self.bins and len(known):
                arrays[f"{i}-edges"] = np.unique(np.quantile(known, np.arange(1, self.bins) / self.bins))
            elif self.bins:
                arrays[f"{i}-edges"] = np.empty(0)
        return arrays

    def values(self, learnt: Arrays, frame: pd.DataFrame) -> pd.DataFrame:
        made = {}
        for i, name in enumerate(map(str, learnt["columns"])):
            numbers = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
            if self.bins:
                place = np.searchsorted(learnt[f"{i}-edges"], numbers, "right")
                words = [f"range {p + 1}" for p in range(len(learnt[f"{i}-edges"]) + 1)]
                found = np.array([*words], dtype=object)[np.minimum(place, len(words) - 1)]
            else:
                codes, levels = pd.factorize(numbers)
                found = np.array([*map(_word, levels), None], dtype=object)[codes]
            found[np.isnan(numbers)] = None
            made[f"{name} as category"] = found
        return pd.DataFrame(made, dtype=object)


def _categories(who: Learnt, source: Source, task: Task) -> tuple[str, ...]:
    found = category_columns(source, task)
    if not found:
        raise KitError(f"{type(who).__name__}: there are no columns of categories; name columns")
    return tuple(found)


def _word(value: object) -> str:
    return str(value) if isinstance(value, str) else f"{value:.12g}"


def _written(keys: tuple[Key, ...]) -> Arrays:
    """Names of the keys as an array (keys, 2); of one column, the second is empty."""
    return {"keys": np.array([(*columns_of(key), "")[:2] for key in keys], dtype=str)}


def _read(learnt: Arrays) -> list[Key]:
    return [(str(a), str(b)) if b else str(a) for a, b in learnt["keys"]]

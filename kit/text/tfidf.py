"""Tf-idf over folds: all n-grams are counted once, and each fold picks its vocabulary and idf from the counts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from kit.core.errors import KitError
from kit.core.files import read_json, replacing, write_json
from kit.core.spec import digest, validator
from kit.rows import Rows
from kit.source import Arrays, Source
from kit.text.counts import Trie, count
from kit.text.grams import Grams, string_arrays, string_list

ENTRIES = 8_000_000  # matrix entries handled together: bounds memory


class Tfidf(Grams):
    """Term frequency times inverse document frequency (Spärck Jones, 1972); settings as in scikit-learn.

    Fitted on some rows it equals `TfidfVectorizer` fitted on their texts, except for the order of columns. If
    `max_features` must choose between terms of equal count, the first in alphabetical order stay.
    """

    min_df: int | float = Field(1, ge=0, description="texts that must hold a term: a number, or a share of the texts")
    max_df: int | float = Field(1.0, ge=0, description="texts that may hold a term: a number, or a share of the texts")
    max_features: int | None = Field(None, ge=1, description="most terms, those of largest total count")
    binary: bool = Field(False, description="count a term once a text")
    use_idf: bool = Field(True, description="weigh terms by inverse document frequency")
    smooth_idf: bool = Field(True, description="as if one more text held every term once")
    sublinear_tf: bool = Field(False, description="1 + log(count) instead of the count")
    norm: Literal["l1", "l2"] | None = Field("l2", description="length that every row is scaled to")

    @validator(mode="after")
    def _shares_are_shares(self) -> "Tfidf":
        for name, value in (("min_df", self.min_df), ("max_df", self.max_df)):
            if (isinstance(value, float) and value > 1) or (isinstance(value, int) and value < 1):
                raise ValueError(f"{name} = {value!r} is neither a number of texts ≥ 1 nor a share between 0.0 and 1.0")
        return self

    def counts(self, rows: Rows) -> Arrays:
        """Counts of all rows of the source (see `kit.text.counts.count`), made once.

        A term in fewer than `min_df` of all rows is in no fold's vocabulary, so it is left out here.
        """
        floor = self.min_df if isinstance(self.min_df, int) else 1
        grams = Grams(**{name: getattr(self, name) for name in Grams.model_fields})
        name = f"counts-{digest([grams.identity(), floor, rows.task.text])[:16]}"
        every = replace(rows, at=np.arange(len(rows.source.frame)), y=None)
        return rows.source.once(name, lambda _: count(grams, every.texts(), floor))

    def fit(self, train: Rows) -> "Vectorizer":
        """Vocabulary and idf of these rows alone.

        Raises:
            KitError: no term is left.
        """
        arrays, n = self.counts(train), len(train)
        size = len(arrays["lengths"])
        held, total = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for _, columns, counts in _entries(arrays, train.at):
            held += np.bincount(columns, minlength=size)
            if self.max_features and not self.binary:
                total += np.bincount(columns, counts, size).astype(np.int64)  # exact: doubles hold whole numbers to 2⁵³
        low, high = (v if isinstance(v, int) else v * n for v in (self.min_df, self.max_df))
        if high < low:
            raise KitError(f"max_df = {self.max_df!r} is below min_df = {self.min_df!r} on {n} texts")
        kept = np.flatnonzero((held > 0) & (held >= low) & (held <= high))
        if self.max_features and len(kept) > self.max_features:
            kept = _largest(arrays, kept, (held if self.binary else total)[kept], self.max_features)
        if not len(kept):
            raise KitError(f"no {self.analyzer} n-gram is left of {n} texts; lower min_df or check the text column")
        idf = np.ones(len(kept))
        if self.use_idf:
            one = int(self.smooth_idf)
            idf = np.log((n + one) / (held[kept] + one)) + 1
        terms = string_list(arrays["letters"], arrays["lengths"], kept)
        return Vectorizer(self, terms, idf, train.source, kept)


class Vectorizer:
    """A fitted Tfidf.

    Attributes:
        spec: its settings.
        terms: (features,) the vocabulary, in the order of the columns.
        idf: (features,) float64.
    """

    def __init__(
        self,
        spec: Tfidf,
        terms: list[str],
        idf: np.ndarray,
        source: Source | None = None,
        kept: np.ndarray | None = None,
    ) -> None:
        self.spec, self.terms, self.idf = spec, terms, idf
        self._source, self._kept = source, kept  # where it was fitted, and its columns in the counts there

    def transform(self, rows: Rows) -> csr_array:
        """The float32 matrix (rows, features).

        Rows of the source that it was fitted on are read from the counts; other rows are counted with the
        vocabulary. Both ways give the same bits.
        """
        size = len(self.terms)
        if rows.source is self._source:
            arrays = self.spec.counts(rows)
            column = np.full(len(arrays["lengths"]), -1, np.int32)
            column[self._kept] = np.arange(size, dtype=np.int32)
            most = int(np.diff(arrays["indptr"])[rows.at].sum())
            # allocated for the largest possible size: pages that are never written take no memory
            indices, data = np.empty(most, np.int32), np.empty(most, np.float32)
            lengths, end = [np.zeros(1, np.int64)], 0
            for entries, columns, counts in _entries(arrays, rows.at):
                columns = column[columns]
                known = columns >= 0
                held = np.repeat(np.arange(len(entries)), entries)[known]
                lengths.append(np.bincount(held, minlength=len(entries)))
                start, end = end, end + len(held)
                indices[start:end] = columns[known]
                data[start:end] = self._weigh(lengths[-1], indices[start:end], counts[known])
            indices, data = indices[:end], data[:end]
        else:
            trie = Trie.of(self.spec, self.terms)
            parts = list(trie.count(rows.texts()))
            lengths = [np.zeros(1, np.int64), *(p[0] for p in parts)]
            indices = np.concatenate([np.empty(0, np.int32), *(p[1] for p in parts)])
            data = np.concatenate([np.empty(0, np.float32), *(self._weigh(*p) for p in parts)])
        indptr = np.cumsum(np.concatenate(lengths))
        wide = np.int64 if indptr[-1] >= 2**31 else np.int32
        return csr_array((data, indices.astype(wide, copy=False), indptr.astype(wide)), shape=(len(rows), size))

    def _weigh(self, entries: np.ndarray, columns: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Weights of some whole rows, float32, like `columns`."""
        spec = self.spec
        grades = np.arange(int(counts.max(initial=0)) + 1, dtype=np.float64)
        if spec.binary:
            grades = np.minimum(grades, 1)
        if spec.sublinear_tf:
            grades[1:] = np.log(grades[1:]) + 1
        weights = grades.astype(np.float32)[counts]
        if spec.use_idf:
            weights *= self.idf.astype(np.float32)[columns]
        if spec.norm is None or not len(weights):
            return weights
        full = entries[entries > 0]
        sizes = np.add.reduceat(weights**2 if spec.norm == "l2" else weights, np.cumsum(full) - full, dtype=np.float64)
        sizes = np.sqrt(sizes) if spec.norm == "l2" else sizes
        weights /= np.repeat(np.where(sizes == 0, 1, sizes).astype(np.float32), full)
        return weights

    def save(self, folder: Path, name: str) -> None:
        """Writes `name`.json (settings) and `name`.npz (vocabulary, idf) into a folder."""
        letters, lengths = string_arrays(self.terms)
        write_json(folder / f"{name}.json", self.spec.to_dict())
        with replacing(folder / f"{name}.npz") as path, open(path, "wb") as file:
            np.savez(file, letters=letters, lengths=lengths, idf=self.idf)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """What `save` wrote."""
        spec = Tfidf.from_dict(read_json(folder / f"{name}.json"))
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            return cls(spec, string_list(arrays["letters"], arrays["lengths"]), arrays["idf"])


def _entries(arrays: Arrays, at: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The rows `at` of the counts, some at a time: entries of each row, their columns, their counts."""
    lengths = np.diff(arrays["indptr"])[at]
    block = np.cumsum(lengths) // ENTRIES
    for some in np.split(np.arange(len(at)), np.flatnonzero(np.diff(block)) + 1):
        some_lengths = lengths[some]
        shift = arrays["indptr"][at[some]] - (np.cumsum(some_lengths) - some_lengths)
        places = np.repeat(shift, some_lengths) + np.arange(some_lengths.sum())
        yield some_lengths, arrays["indices"][places], arrays["counts"][places]


def _largest(arrays: Arrays, kept: np.ndarray, total: np.ndarray, most: int) -> np.ndarray:
    """The `most` columns of `kept` with the largest total; among equals at the cut the first in the alphabet."""
    cut = np.partition(total, len(total) - most)[len(total) - most]
    tied = kept[total == cut]
    names = np.array(string_list(arrays["letters"], arrays["lengths"], tied), dtype=object)
    stay = tied[np.argsort(names, kind="stable")][: most - int((total > cut).sum())]
    return np.sort(np.concatenate([kept[total > cut], stay]))

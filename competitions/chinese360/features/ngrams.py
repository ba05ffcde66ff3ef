"""Exact counts of n-grams in the other rows, for all positions of a corpus together.

A corpus is `ids` (total,), the symbols (characters, words or tags) of all rows one after the other, and `start`
(rows + 1,), where each row begins. An n-gram is the number of its first n - 1 symbols and its last symbol, so counts
of one length grow out of those of the length before: no hashing, no collisions, one stable sort a length.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from competitions.chinese360.features.ragged import rows_of, starts

OPEN, CLOSE, FIRST = 0, 1, 2  # symbols before and after every row; the row's own begin here


class Level(NamedTuple):
    """n-grams of one length that may occur in several rows.

    Attributes:
        at: (m,) ascending positions where such an n-gram begins.
        numbers: (m,) number of the n-gram.
        others: (m,) how often it occurs in other rows.
    """

    at: np.ndarray
    numbers: np.ndarray
    others: np.ndarray

    def partners(self, start: np.ndarray) -> np.ndarray:
        """(m,) a row that has the n-gram too: the first of them, or the last where the first is the row itself."""
        row = rows_of(start)[self.at]
        first, last = np.empty((2, int(self.numbers.max(initial=-1)) + 1), np.int32)
        first[self.numbers[::-1]] = row[::-1]  # what is written last stays
        last[self.numbers] = row
        return np.where(first[self.numbers] == row, last[self.numbers], first[self.numbers])


def characters(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(total,) int32 code points of all texts and (texts + 1,) where each text begins."""
    letters = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(letters, "<i4"), starts(np.fromiter(map(len, texts), np.int64, len(texts)))


def bounded(ids: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corpus with `OPEN` before and `CLOSE` after every row, its own symbols numbered from `FIRST`."""
    longer = start + 2 * np.arange(len(start))
    symbols = np.empty(longer[-1], np.int32)
    symbols[longer[:-1]], symbols[longer[1:] - 1] = OPEN, CLOSE
    symbols[inside(start)] = dense(ids) + FIRST
    return symbols, longer


def inside(start: np.ndarray) -> np.ndarray:
    """(total,) where the rows' own symbols stand in the bounded corpus."""
    return np.arange(start[-1]) + 2 * rows_of(start).astype(np.int64) + 1


def dense(ids: np.ndarray) -> np.ndarray:
    """Symbols renumbered without gaps, in the same order."""
    known = np.zeros(int(ids.max(initial=-1)) + 1, np.int32)
    known[ids] = 1
    return (np.cumsum(known, dtype=np.int32) - 1)[ids]


def levels(ids: np.ndarray, start: np.ndarray) -> Iterator[Level]:
    """The n-grams of length 1, 2, … with their counts in other rows; ends when no row shares one with another."""
    row = rows_of(start)
    end = start[1:]
    fan = int(ids.max(initial=0)) + 1
    at = np.arange(len(ids))
    keys = ids.astype(np.int64)
    n = 1
    while len(at):
        level = _level(at, keys, row)
        yield level
        # what no other row has, no other row has longer
        grows = (level.others > 0) & (at + n < end[row[at]])
        at = at[grows]
        keys = level.numbers[grows].astype(np.int64) * fan + ids[at + n]
        n += 1


def elsewhere(ids: np.ndarray, start: np.ndarray, longest: int) -> list[np.ndarray]:
    """How often the n-gram that begins at each position occurs in other rows.

    Returns:
        For n = 1 … longest, (total,) int32; 0 where the n-gram would leave its row.
    """
    found = [np.zeros(len(ids), np.int32) for _ in range(longest)]
    for counts, level in zip(found, levels(ids, start), strict=False):
        counts[level.at] = level.others
    return found


def _level(at: np.ndarray, keys: np.ndarray, row: np.ndarray) -> Level:
    order, fresh, own = _sorted(keys, row[at])
    number = np.cumsum(fresh, dtype=np.int32) - 1
    others = _sizes(fresh)[number] - _sizes(own)[np.cumsum(own, dtype=np.int32) - 1]
    back = np.empty((2, len(keys)), np.int32)
    back[:, order] = number, others
    return Level(at, *back)


def grouped(keys: np.ndarray, row: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places by their keys: the keys as small numbers; places of other rows with the same key; chosen ones of these.

    Args:
        keys: (m,) of each place.
        row: (m,) ascending row of each place.
        chosen: (m,) bool.
    """
    order, fresh, own = _sorted(keys, row)
    number, part = np.cumsum(fresh) - 1, np.cumsum(own) - 1
    others = _sizes(fresh)[number] - _sizes(own)[part]
    hits = np.bincount(number, chosen[order])[number] - np.bincount(part, chosen[order])[part] if len(keys) else others
    back = np.empty((3, len(keys)), np.int64)
    back[:, order] = number, others, hits
    return back[0], back[1], back[2]


def _sorted(keys: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order of the keys, where in it a key begins, and where a key of one row begins."""
    order = np.argsort(keys, kind="stable")  # the places of a key stay sorted by row
    keys, row = keys[order], row[order]
    fresh = np.ones(len(keys), bool)
    fresh[1:] = keys[1:] != keys[:-1]
    own = fresh.copy()
    own[1:] |= row[1:] != row[:-1]
    return order, fresh, own


def _sizes(begins: np.ndarray) -> np.ndarray:
    return np.diff(np.flatnonzero(begins), append=len(begins)).astype(np.int32)


class NgramCounts:
    """Counts of the n-grams of one length of a whole corpus, to be asked for any n-gram."""

    def __init__(self, ids: np.ndarray, start: np.ndarray, n: int) -> None:
        self.fan = int(ids.max(initial=0)) + 1
        whole = np.repeat(start[1:], np.diff(start)) - np.arange(len(ids)) >= n
        grams = sliding_window_view(np.append(ids, np.zeros(n, ids.dtype)), n)[: len(ids)]
        known, counts = np.unique(self.keys(grams)[whole], return_counts=True)
        self.known = np.append(known, np.iinfo(np.int64).max)  # so that a place is found for every key
        self.counts = np.append(counts, 0)

    def keys(self, grams: np.ndarray) -> np.ndarray:
        """(m,) the n-grams (m, n) as one number each."""
        keys = grams[..., 0].astype(np.int64)
        for column in range(1, grams.shape[-1]):
            keys = keys * self.fan + grams[..., column]
        return keys

    def count(self, keys: np.ndarray) -> np.ndarray:
        """How often n-grams occur."""
        at = np.searchsorted(self.known, keys)
        return np.where(self.known[at] == keys, self.counts[at], 0)

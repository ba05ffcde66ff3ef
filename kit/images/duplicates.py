"""Pictures that occur twice, exactly or nearly: scaled, saved again, brightened."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from kit.images.facts import PictureFacts
from kit.images.faults import grouped
from kit.images.store import PictureFiles
from kit.schema.pictures import several

MOST_BITS = 4  # of 64, in which the hashes of near duplicates differ at most
MOST_COLOUR = 12.0  # mean difference of their colours at most, of 255: hashes of grey and flat pictures are random
BANDS = 5  # parts of a hash: of hashes that differ in 4 bits, one part of 5 at least is equal
FULL = 500  # pictures with one part in common, beyond which neighbours alone are compared


@dataclass(frozen=True)
class NearDuplicates:
    """Pictures of rows that are the same, or nearly.

    Attributes:
        row: (m,) the row of each picture.
        cells: each picture as its row has it, a name or bytes.
        names: of each picture, or its row's number.
        pairs: (k, 2) positions of pictures that are alike, the smaller first; of equal pictures each with the first.
        bits: (k,) in which their hashes differ; 0 for equal bytes as well.
        rows: number of rows.
    """

    row: np.ndarray
    cells: tuple[Any, ...]
    names: tuple[str, ...]
    pairs: np.ndarray
    bits: np.ndarray
    rows: int

    @cached_property
    def groups(self) -> np.ndarray:
        """(rows,) numbers from 0, equal for rows that have pictures alike, directly or by others between."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ends = self.row[self.pairs]
        links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(self.rows, self.rows))
        return connected_components(links, directed=False)[1].astype(np.int64)

    def across(self, first: int) -> np.ndarray:
        """(k,) bool: pairs of a row below `first` and one from there on, as of train and test."""
        return (self.row[self.pairs] < first).sum(axis=1) == 1


def near_duplicates(files: PictureFiles, frame: pd.DataFrame, columns: Sequence[str]) -> NearDuplicates:
    """Pictures of these rows with equal bytes, or with hashes and colours that hardly differ.

    Args:
        files: where the pictures lie.
        frame: the rows.
        columns: those of pictures.
    """
    rows, cells, names, facts = list[int](), list[Any](), list[str](), list[PictureFacts]()
    for column in columns:
        for i, (cell, found) in enumerate(zip(frame[column], grouped(files, frame[column]), strict=True)):
            rows += [i] * len(found)
            cells += several(cell)
            names += [one if isinstance(one, str) else f"row {i}" for one in several(cell)]
            facts += found
    readable = [i for i, one in enumerate(facts) if not one.fault]
    sums = pd.factorize(np.array([facts[i].sum for i in readable], dtype=object))[0]
    _, first = np.unique(sums, return_index=True)
    equal = [(readable[first[s]], readable[k]) for k, s in enumerate(sums) if first[s] != k]
    hashed = np.array([readable[k] for k in first if facts[readable[k]].hash], dtype=np.int64)
    near, bits = _near(hashed, [facts[i] for i in hashed])
    pairs = np.array([*equal, *map(tuple, near.tolist())], dtype=np.int64).reshape(-1, 2)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    distances = np.concatenate([np.zeros(len(equal), dtype=np.int64), bits])
    row = np.array(rows, dtype=np.int64)
    return NearDuplicates(row, tuple(cells), tuple(names), pairs[order], distances[order], len(frame))


def _near(places: np.ndarray, facts: Sequence[PictureFacts]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of pictures whose hashes differ in few bits and whose colours are alike, and in how many bits."""
    none = np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int64)
    if not len(places):
        return none
    hashes = np.array([int(one.hash, 16) for one in facts], dtype=np.uint64)
    colours = np.stack([np.frombuffer(bytes.fromhex(one.colours), dtype=np.uint8) for one in facts]).astype(np.float32)
    found = [_alike(pairs, hashes, colours) for pairs in _candidates(hashes)]
    if not found:
        return none
    pairs = np.unique(np.concatenate(found), axis=0)
    return np.sort(places[pairs], axis=1), _bits(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])


def _candidates(hashes: np.ndarray) -> Iterable[np.ndarray]:
    """Pairs (k, 2), the smaller first, of hashes that have a part in common; some come several times."""
    edges = np.linspace(0, 64, BANDS + 1).astype(int)
    for low, high in itertools.pairwise(edges):
        part = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.lexsort((hashes, part))  # within a part equal and like hashes are neighbours
        ends = np.flatnonzero(np.diff(part[order], append=part[order][-1] + np.uint64(1)) != 0) + 1
        begin = np.concatenate([[0], ends[:-1]])
        size = np.repeat(ends - begin, ends - begin)  # of the group of each place
        left = np.repeat(ends, ends - begin) - np.arange(len(order)) - 1  # places after it in its group
        for step in range(1, int(size.max(initial=1))):
            at = np.flatnonzero((left >= step) & ((size <= FULL) | (step <= FULL // 10)))
            if not len(at):
                break
            yield np.sort(np.stack([order[at], order[at + step]], axis=1), axis=1)


def _alike(pairs: np.ndarray, hashes: np.ndarray, colours: np.ndarray) -> np.ndarray:
    pairs = pairs[_bits(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= MOST_BITS]
    return pairs[np.abs(colours[pairs[:, 0]] - colours[pairs[:, 1]]).mean(axis=1) <= MOST_COLOUR]


def _bits(values: np.ndarray) -> np.ndarray:
    """How many bits of each number are set; numpy below 2 has no function for it."""
    octets = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), 8)
    return np.unpackbits(octets, axis=1).sum(axis=1, dtype=np.int64)

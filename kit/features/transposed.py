"""Neighbouring blocks of characters that were exchanged, AB CD → CD AB, found by exchanging them back.

Exchanging back what a machine exchanged makes a text likelier; exchanging anything else makes it less likely. Likelier
is meant to the trigram model of `kit.features.surprisal` over all rows, the place under test not counted.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kit.features import ragged
from kit.features.ngrams import Table, bounded

STRENGTH = 2.0  # pseudo-counts that the shorter context is worth
BLOCK = 2  # characters in a block
SUSPECT = -4.0  # bits by which the three seams of an exchange may be likelier than chance to be looked at
CHUNK = 2**18  # places looked at together


def repair_gain(ids: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(total,) bits that a row gains when the two blocks from each position on are exchanged.

    0 where less than two blocks are left, and where the seams are so common that nothing is to be gained.
    """
    symbols, longer = bounded(*bounded(ids, start))  # two symbols on either side of every block
    tables = [Table(symbols, longer, n) for n in (1, 2, 3)]
    end = np.repeat(start[1:], np.diff(start))
    at = np.flatnonzero(np.arange(len(ids)) + 2 * BLOCK <= end)
    at += 4 * ragged.rows_of(start)[at].astype(np.int64)  # window of two symbols, two blocks, two symbols
    chance = _chance(symbols, tables)
    seams = sum(chance[at + offset] for offset in (1, 1 + BLOCK, 1 + 2 * BLOCK))
    at = at[seams < SUSPECT]
    gain = np.zeros(len(symbols), np.float32)
    back = np.array([0, 1, *range(2 + BLOCK, 2 + 2 * BLOCK), *range(2, 2 + BLOCK), 2 + 2 * BLOCK, 3 + 2 * BLOCK])
    for some in np.split(at, range(CHUNK, len(at), CHUNK)):
        real = symbols[some[:, None] + np.arange(len(back))]
        gain[some + 2] = np.maximum(_bits(real, real, tables) - _bits(real[:, back], real, tables), 0)
    keep = np.arange(len(ids)) + 4 * ragged.rows_of(start).astype(np.int64) + 2
    return gain[keep]


def _chance(symbols: np.ndarray, tables: list[Table]) -> np.ndarray:
    """(total - 1,) log2 of how much more often two neighbours meet elsewhere than by chance."""
    one, two, _ = tables
    pairs = sliding_window_view(symbols, 2)
    left, right = one.count(symbols[:-1].astype(np.int64)), one.count(symbols[1:].astype(np.int64))
    expected = right / len(symbols)
    together = np.maximum(two.count(two.keys(pairs)) - 1, 0)
    return np.log2((together + STRENGTH * expected) / (left + STRENGTH) / expected)


def _bits(text: np.ndarray, real: np.ndarray, tables: list[Table]) -> np.ndarray:
    """(m,) surprisal of the symbols of the windows `text` (m, w), n-grams of the windows `real` not counted."""
    counts = []
    for n, table in enumerate(tables, 1):
        keys, here = (table.keys(sliding_window_view(windows, n, axis=1)) for windows in (text, real))
        own = (keys[:, :, None] == here[:, None, :]).sum(axis=2)
        counts.append(np.maximum(table.count(keys) - own, 0))
    one, two, three = counts
    total = tables[0].counts.sum()
    p = (one[:, 2:] + STRENGTH / len(tables[0].known)) / (total + STRENGTH)
    p = (two[:, 1:] + STRENGTH * p) / (one[:, 1:-1] + STRENGTH)
    p = (three + STRENGTH * p) / (two[:, :-1] + STRENGTH)
    return -np.log2(p).sum(axis=1)

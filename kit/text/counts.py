"""Exact n-gram counts of many texts at once: arrays over the whole corpus instead of a Python loop over n-grams.

An n-gram is the number of its first n-1 symbols and its last symbol, so a trie grows level by level over all positions
together: no hashing, no collisions.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise, repeat

import numpy as np

from kit.source import Arrays
from kit.text.grams import Block, Grams, code_points, read, slices, string_arrays, string_list

DENSE = 2**27  # a level with at most so many possible n-grams is a plain table (4 bytes each), else a sorted list
UNICODE = 0x110000  # code points there are


class _Level:
    """The n-grams of one length: number ↔ key, where key = number of the first n-1 symbols · fan + last symbol.

    The most frequent n-gram is number 0, so that frequent columns lie side by side in memory.
    """

    def __init__(self, keys: list[np.ndarray], space: int, fan: int, floor: int) -> None:
        self.fan = fan
        if space <= DENSE:
            total = np.zeros(space, np.int32)
            for some in keys:
                np.add.at(total, some, np.int32(1))  # the same dtype makes it fifty times faster
            known = np.flatnonzero(total >= max(floor, 1))
            total = total[known]
        else:
            pairs = [np.unique(some, return_counts=True) for some in keys]
            known, inverse = np.unique(np.concatenate([p[0] for p in pairs]), return_inverse=True)
            total = np.bincount(inverse, np.concatenate([p[1] for p in pairs]), len(known)).astype(np.int64)
            known, total = known[total >= floor], total[total >= floor]
        order = np.argsort(-total, kind="stable")
        self.keys = known[order]  # (size,) key of each number
        if space <= DENSE:
            self._table = np.full(space, -1, np.int32)
            self._table[self.keys] = np.arange(len(order), dtype=np.int32)
        else:
            self._sorted, self._number = known, np.empty(len(order), np.int32)
            self._number[order] = np.arange(len(order), dtype=np.int32)
        self._dense = space <= DENSE

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Numbers of n-grams, -1 where there is no such n-gram."""
        if self._dense:
            return self._table[keys]
        if not len(self._sorted):
            return np.full(len(keys), -1, np.int32)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._number[at], np.int32(-1))


class _Cursor:
    """Positions of a block whose n-gram is still in the trie, and the numbers of these n-grams."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.at = np.flatnonzero((block.room > 0) & (block.symbols >= 0)).astype(np.int32)
        self.keys = block.symbols[self.at]
        self.numbers = self.first = np.empty(0, np.int32)

    def step(self, level: _Level) -> None:
        """Looks up the pending keys and drops the positions that are not in the trie."""
        numbers = level.find(self.keys)
        known = numbers >= 0
        self.at, self.numbers = self.at[known], numbers[known]
        if not len(self.first):
            self.first = np.full(len(self.block.symbols), -1, np.int32)
            self.first[self.at] = self.numbers

    def lengthen(self, n: int, fan: int) -> None:
        """Makes the keys of length `n` pending."""
        roomy = self.block.room[self.at] >= n
        at, numbers = self.at[roomy], self.numbers[roomy]
        last = self.first[at + np.int32(n - 1)]
        known = last >= 0
        self.at = at[known]
        self.keys = numbers[known].astype(np.int64) * fan + last[known]


class Trie:
    """The n-grams that are counted, as columns of a matrix.

    Attributes:
        columns: per length, (n-grams,) column of each n-gram or -1.
    """

    def __init__(self, grams: Grams, blocks: list[Block], longest: int, floor: int, words: dict[str, int]) -> None:
        self.grams = grams
        self.words = words
        self.levels: list[_Level] = []
        cursors = [_Cursor(block) for block in blocks]
        size, fan = 1, max(len(words), 1) if grams.analyzer == "word" else UNICODE
        for n in range(1, longest + 1):
            level = _Level([c.keys for c in cursors], size * fan, fan, floor)
            self.levels.append(level)
            size, fan = len(level.keys), len(self.levels[0].keys)
            for cursor in cursors:
                cursor.step(level)
                if n < longest:
                    cursor.lengthen(n + 1, fan)
        offsets = np.cumsum([0, *(len(level.keys) for level in self.levels)])
        self.columns = [np.arange(a, b) for a, b in pairwise(offsets)]

    @classmethod
    def grown(cls, grams: Grams, texts: Sequence[str], floor: int) -> tuple["Trie", list[Block]]:
        """The n-grams that occur at least `floor` times in all texts, and the texts as symbols.

        An n-gram is at least as rare as its parts, so rare n-grams are dropped before longer ones are made.
        """
        words: defaultdict[str, int] = defaultdict()
        words.default_factory = words.__len__
        blocks = [read(grams, some, lambda tokens: map(words.__getitem__, tokens)) for some in slices(texts)]
        words.default_factory = None
        return cls(grams, blocks, grams.ngram_range[1], floor, words), blocks

    @classmethod
    def of(cls, grams: Grams, terms: Sequence[str]) -> "Trie":
        """The trie of a vocabulary; the columns are the terms' places in it."""
        words: dict[str, int] = {}
        if grams.analyzer == "word":
            tokens = [term.split(" ") for term in terms]
            symbols = np.array([words.setdefault(w, len(words)) for t in tokens for w in t], np.int32)
            lengths = np.fromiter(map(len, tokens), np.intp, len(tokens))
        else:
            symbols = code_points("".join(terms))
            lengths = np.fromiter(map(len, terms), np.intp, len(terms))
        room = np.ones(len(symbols), np.uint8)  # n-grams longer than 1 begin only at the start of a term
        starts = np.cumsum(lengths) - lengths
        room[starts] = lengths
        block = Block(symbols, lengths, room, np.empty(0, np.intp))
        trie = cls(grams, [block], int(lengths.max()), 1, words)
        place = np.full(len(symbols), -1)
        place[starts] = np.arange(len(terms))
        for n, (columns, cursor) in enumerate(zip(trie.columns, trie._walk(block), strict=True), 1):
            ends = (room[cursor.at] == n) & (place[cursor.at] >= 0)
            columns[:] = -1  # a prefix that is no term
            columns[cursor.numbers[ends]] = place[cursor.at[ends]]
        return trie

    def _walk(self, block: Block) -> Iterator[_Cursor]:
        """The cursor at each length in turn."""
        cursor = _Cursor(block)
        for n, level in enumerate(self.levels, 1):
            if n > 1:
                cursor.lengthen(n, level.fan)
            cursor.step(level)
            yield cursor

    def tally(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts of a block: entries of each row; their columns, ascending in a row; their counts."""
        row = np.repeat(np.arange(len(block.lengths)), block.lengths)
        found = []
        for n, cursor in enumerate(self._walk(block), 1):
            at, numbers = cursor.at, cursor.numbers
            if n < self.grams.ngram_range[0]:
                whole = np.isin(at, block.alone[block.room[block.alone] == n])
                at, numbers = at[whole], numbers[whole]
            columns = self.columns[n - 1][numbers]
            found.append((row[at] << 32 | columns)[columns >= 0])
        keys = np.sort(np.concatenate(found))
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(firsts, append=len(keys))
        keys = keys[firsts]
        entries = np.bincount(keys >> 32, minlength=len(block.lengths))
        return entries, (keys & 0xFFFFFFFF).astype(np.int32), _narrow(counts)

    def count(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """`tally` of any texts, block by block."""
        for some in slices(texts):
            yield self.tally(read(self.grams, some, lambda tokens: map(self.words.get, tokens, repeat(-1))))

    def terms(self, kept: np.ndarray) -> list[str]:
        """The n-grams of the columns where `kept` is set, as strings."""
        words = list(self.words)
        terms: list[str] = []
        alphabet = symbols = self.levels[0].keys[:, None]  # (n-grams, n) symbols of each n-gram of a level
        for level, columns in zip(self.levels, self.columns, strict=True):
            if level is not self.levels[0]:
                symbols = np.hstack([symbols[level.keys // level.fan], alphabet[level.keys % level.fan]])
            chosen = symbols[kept[columns]]
            if self.grams.analyzer == "word":
                terms += [" ".join([words[i] for i in row]) for row in chosen.tolist()]
            else:
                terms += string_list(chosen.astype("<u4").ravel(), np.full(len(chosen), chosen.shape[1]))
        return terms


def count(grams: Grams, texts: Sequence[str], floor: int = 1) -> Arrays:
    """Counts of all n-grams that at least `floor` texts hold.

    Returns:
        indptr (texts + 1,), indices (entries,), counts (entries,): a sparse matrix, one column a term;
        letters (characters,) and lengths (terms,): the terms.
    """
    trie, blocks = Trie.grown(grams, texts, floor)
    size = sum(len(c) for c in trie.columns)
    held = np.zeros(size, np.int32)  # texts that hold each n-gram
    parts = []
    for i in range(len(blocks)):
        parts.append(trie.tally(blocks[i]))
        del blocks[i].symbols, blocks[i].room  # they weigh as much as the counts
        np.add.at(held, parts[-1][1], np.int32(1))
    kept = held >= floor
    letters, lengths = string_arrays(trie.terms(kept))
    column = (np.cumsum(kept) - 1).astype(np.int32)
    entries = int(held[kept].sum())
    indptr = np.zeros(len(texts) + 1, np.int64)
    indices = np.empty(entries, np.int32)
    counts = np.empty(entries, np.result_type(np.uint8, *{p[2].dtype for p in parts}))
    row = end = 0
    for i, (per_row, columns, values) in enumerate(parts):
        stays = kept[columns]
        rows = np.repeat(np.arange(len(per_row)), per_row)[stays]
        indptr[row + 1 : row + 1 + len(per_row)] = np.bincount(rows, minlength=len(per_row))
        start, end, row = end, end + len(rows), row + len(per_row)
        indices[start:end], counts[start:end] = column[columns[stays]], values[stays]
        parts[i] = (per_row[:0], columns[:0], values[:0])
    return {
        "indptr": np.cumsum(indptr),
        "indices": indices,
        "counts": counts,
        "letters": letters,
        "lengths": lengths,
    }


def _narrow(counts: np.ndarray) -> np.ndarray:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))

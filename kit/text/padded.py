"""Parallel sequences as padded tensors, flat or by sentences."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from kit.text.sequences import Sequences


@dataclass(frozen=True)
class FlatInputs:
    """Rows as (n, length) ids and mask.

    Attributes:
        sequences: of all rows.
        tables: sequence → (units,) the network's id of each id in `sequences`.
        limit: units a row at most.
        both_ends: a longer row keeps half from each end; else its beginning.
        backwards: each row is reversed.
    """

    sequences: Sequences
    tables: dict[str, np.ndarray]
    limit: int
    both_ends: bool = False
    backwards: bool = False

    @cached_property
    def length(self) -> np.ndarray:
        """(n,) units of each row that are kept."""
        return np.minimum(np.diff(self.sequences.start), self.limit)

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """Ids of each sequence and the mask, (len(rows), longest)."""
        column = np.arange(self.length[rows].max())
        mask = column < self.length[rows][:, None]
        return _filled(self.sequences, self.tables, mask, self._places(rows, column)[mask])

    def _places(self, rows: np.ndarray, column: np.ndarray) -> np.ndarray:
        begin, end = self.sequences.start[rows][:, None], self.sequences.start[rows + 1][:, None]
        if self.backwards:
            column = self.length[rows][:, None] - 1 - column
        place = begin + column
        if not self.both_ends:
            return place
        tail = end - self.length[rows][:, None] + column
        return np.where((column < (self.limit + 1) // 2) | (end - begin <= self.limit), place, tail)

    def key(self, row: int) -> bytes:
        """Equal for rows of equal units."""
        at = self._places(np.array([row]), np.arange(self.length[row]))[0]
        return b"".join(table[self.sequences.ids[name][at]].tobytes() for name, table in self.tables.items())


@dataclass(frozen=True)
class SentenceInputs:
    """Rows as (n, sentences, words) ids and mask.

    Attributes:
        sequences: of all rows.
        tables: sequence → (units,) the network's id of each id in `sequences`.
        sentences: a row at most.
        words: a sentence at most; a longer sentence becomes several.
        both_ends: a longer row keeps half of its sentences from each end; else its beginning.
    """

    sequences: Sequences
    tables: dict[str, np.ndarray]
    sentences: int
    words: int
    both_ends: bool = False

    @cached_property
    def _cut(self) -> tuple[np.ndarray, np.ndarray]:
        """Start of each piece (pieces + 1,), and the first piece of each row (n + 1,)."""
        start, sentence = self.sequences.start, np.asarray(self.sequences.sentence)
        begins = np.ones(len(sentence), dtype=bool)
        begins[1:] = sentence[1:] != sentence[:-1]
        begins[start[:-1]] = True
        at = np.flatnonzero(begins)
        since = np.arange(len(sentence)) - np.repeat(at, np.diff(at, append=len(sentence)))
        at = np.flatnonzero(since % self.words == 0)
        return np.append(at, len(sentence)), np.searchsorted(at, start)

    @cached_property
    def length(self) -> np.ndarray:
        """(n,) padded size of each row: its sentences times the longest one."""
        begin, first = self._cut
        longest = np.maximum.reduceat(np.diff(begin), first[:-1])
        return np.minimum(np.diff(first), self.sentences) * longest

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """Ids of each sequence and the mask, (len(rows), most sentences, longest sentence)."""
        begin, first = self._cut
        count = np.minimum(first[rows + 1] - first[rows], self.sentences)
        number = np.arange(count.max())
        held = number < count[:, None]
        piece = np.where(held, self._pieces(rows, number), len(begin) - 1)
        size = np.where(held, np.diff(begin, append=begin[-1])[piece], 0)
        column = np.arange(size.max())
        mask = column < size[..., None]
        return _filled(self.sequences, self.tables, mask, (begin[piece][..., None] + column)[mask])

    def _pieces(self, rows: np.ndarray, number: np.ndarray) -> np.ndarray:
        """(len(rows), len(number)) the piece at each place of the rows."""
        _, first = self._cut
        begin, end = first[rows][:, None], first[rows + 1][:, None]
        if not self.both_ends:
            return begin + number
        tail = end - np.minimum(end - begin, self.sentences) + number
        return np.where(number < (self.sentences + 1) // 2, begin + number, tail)

    def key(self, row: int) -> bytes:
        """Equal for rows of equal sentences."""
        begin, first = self._cut
        count = min(first[row + 1] - first[row], self.sentences)
        pieces = self._pieces(np.array([row]), np.arange(count))[0]
        at = np.concatenate([np.arange(begin[piece], begin[piece + 1]) for piece in pieces])
        units = [table[self.sequences.ids[name][at]].tobytes() for name, table in self.tables.items()]
        return b"".join([*units, (begin[pieces + 1] - begin[pieces]).tobytes()])


def _filled(
    sequences: Sequences, tables: dict[str, np.ndarray], mask: np.ndarray, at: np.ndarray
) -> dict[str, torch.Tensor]:
    filled = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
    for name, table in tables.items():
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = table[sequences.ids[name][at]]
        filled[name] = torch.from_numpy(ids)
    return filled

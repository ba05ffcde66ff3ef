"""Texts cut into windows, and batches in which each text is read window after window."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
else:
    from kit.core.lazy import later

    torch = later("torch")


@dataclass(frozen=True)
class TextBlocks:
    """Rows' ids cut into windows; the last unit of one is the first of the next, so that each is predicted once.

    With an overlap a window begins so many units earlier. It reads these again, as what comes before, and predicts none
    of them: a strided window (Baevski and Auli 2019, section 5.3), for networks without a state to carry on.

    Attributes:
        ids: (total,) of all rows.
        start: (n + 1,) where rows begin.
        size: units a window at most.
        backwards: read from the end.
        overlap: units that a window reads again, less than size − 1.
    """

    ids: np.ndarray
    start: np.ndarray
    size: int
    backwards: bool = False
    overlap: int = 0

    @cached_property
    def _spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Begin and end of each window."""
        stride = self.size - 1 - self.overlap
        count = 1 + np.maximum(0, -(-(np.diff(self.start) - self.size) // stride))
        row = np.repeat(np.arange(len(count)), count)
        number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        begin = self.start[row] + number * stride
        end = np.minimum(begin + self.size, self.start[row + 1])
        kept = end - begin > 1  # a single unit predicts nothing
        return begin[kept], end[kept]

    @property
    def length(self) -> np.ndarray:
        """Units of each window."""
        begin, end = self._spans
        return end - begin

    @property
    def predicted(self) -> int:
        """Units of all windows that are predicted."""
        return int((self.length - 1 - self.overlaps).sum())

    @cached_property
    def overlaps(self) -> np.ndarray:
        """(windows,) how many units at the start of each window an earlier window of the text has predicted."""
        overlaps = np.full(len(self.length), self.overlap)
        overlaps[self.read(np.arange(len(self.texts[0])), 0)] = 0
        return overlaps

    @cached_property
    def texts(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each text that has windows: its first one, and how many it has; they lie side by side."""
        begin, _ = self._spans
        row = np.searchsorted(self.start, begin, side="right") - 1
        return np.unique(row, return_index=True, return_counts=True)[1:]

    def read(self, text: np.ndarray, number: int) -> np.ndarray:
        """The window of each of these texts that is read as the `number`-th, from 0: backwards, the last one first."""
        first, count = (side[text] for side in self.texts)
        return first + (count - 1 - number if self.backwards else number)

    def some(self, windows: int) -> "TextBlocks":
        """Evenly spaced texts that have about so many windows, at least one text."""
        first, count = self.texts
        wanted = max(1, int(windows * len(first) / max(1, len(self.length))))
        chosen = np.unique(np.linspace(0, max(0, len(first) - 1), min(len(first), wanted)).round().astype(np.int64))
        begin, end = self._spans
        spans = [(begin[first[i]], end[first[i] + count[i] - 1]) for i in chosen]
        ids = [self.ids[a:b] for a, b in spans]
        start = np.concatenate([[0], np.cumsum([len(part) for part in ids])]).astype(np.int64)
        return replace(self, ids=np.concatenate([*ids, self.ids[:0]]), start=start)

    def padded(self, rows: np.ndarray) -> "dict[str, torch.Tensor]":
        """Ids and mask (len(rows), longest)."""
        begin, end = (side[rows][:, None] for side in self._spans)
        column = np.arange((end - begin).max())
        mask = column < end - begin
        place = end - 1 - column if self.backwards else begin + column
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = self.ids[place[mask]]
        return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask.astype(np.int64))}


@dataclass(frozen=True)
class BlockBatches:
    """Batches of windows: texts are read side by side, each from its begin to its end.

    Shuffled texts are cut into pools, and within a pool texts of like length go together, so that few places are empty.
    The plan gives window i in epoch e as position e · windows + i: a batch knows its epoch.

    Attributes:
        blocks: the texts.
        rows: texts side by side.
        seed: of the order of the texts.
        pool: groups of texts that are drawn together.
    """

    blocks: TextBlocks
    rows: int
    seed: int
    pool: int = 50
    _places: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, the windows of a text one after another; the same ones each time it is asked."""
        windows = len(self.blocks.length)
        return [
            epoch * windows + self.blocks.read(at, n) for group in self._groups(epoch) for n, at in enumerate(group)
        ]

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        """The arguments of `kit.models.LanguageModel`."""
        epoch, own = int(rows[0]) // len(self.blocks.length), rows % len(self.blocks.length)
        begins = np.isin(own, self._begins).astype(np.int64)
        more = {"places": torch.from_numpy(self._place(epoch)[own]), "begins": torch.from_numpy(begins)}
        if self.blocks.overlap:
            more["overlap"] = torch.from_numpy(self.blocks.overlaps[own])
        return {"inputs": self.blocks.padded(own) | more, "y": torch.zeros(len(rows), 1)}

    @cached_property
    def _begins(self) -> np.ndarray:
        """The window of each text that is read first."""
        return self.blocks.read(np.arange(len(self.blocks.texts[0])), 0)

    def _groups(self, epoch: int) -> list[list[np.ndarray]]:
        """Texts that are read side by side, for each window those that still have one, in their places."""
        rng = np.random.default_rng([self.seed, epoch])
        count = self.blocks.texts[1]
        length = np.add.reduceat(self.blocks.length, self.blocks.texts[0]) if len(count) else count
        order, size, groups = rng.permutation(len(count)), self.pool * self.rows, []
        for i in range(0, len(order), size):
            part = order[i : i + size]
            part = part[np.argsort(-length[part], kind="stable")]  # whoever ends first has the last place
            groups += [part[j : j + self.rows] for j in range(0, len(part), self.rows)]
        drawn = [groups[i] for i in rng.permutation(len(groups))]
        return [[group[count[group] > n] for n in range(count[group].max())] for group in drawn]

    def _place(self, epoch: int) -> np.ndarray:
        """(windows,) the place of each window's text among those that are read beside it."""
        if epoch not in self._places:
            self._places.clear()
            place = np.zeros(len(self.blocks.length), dtype=np.int64)
            for group in self._groups(epoch):
                for n, at in enumerate(group):
                    place[self.blocks.read(at, n)] = np.arange(len(at))
            self._places[epoch] = place
        return self._places[epoch]

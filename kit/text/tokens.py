"""Tokens of all rows, made once per tokenizer and length, and batches of them under a token budget."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Tokens:
    """Token ids of many rows in one flat array.

    Attributes:
        flat: (total,) ids of all rows, one after another.
        start: (n + 1,) where each row starts; the last entry is `total`.
        pad: id that fills short rows up.
    """

    flat: np.ndarray
    start: np.ndarray
    pad: int

    @property
    def length(self) -> np.ndarray:
        """(n,) tokens of each row."""
        return np.diff(self.start)

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """The rows' ids and mask (len(rows), longest of them)."""
        begin, length = self.start[rows], self.start[rows + 1] - self.start[rows]
        column = np.arange(length.max())
        mask = column < length[:, None]
        ids = np.full(mask.shape, self.pad, dtype=np.int64)
        ids[mask] = self.flat[(begin[:, None] + column)[mask]]
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask.astype(np.int64))}

    def distinct(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of unlike tokens, the first of each kind, and for every given row which of these it is like."""
        places: dict[bytes, int] = {}
        keys = (self.flat[self.start[row] : self.start[row + 1]].tobytes() for row in rows)
        again = np.fromiter((places.setdefault(key, len(places)) for key in keys), dtype=np.int64, count=len(rows))
        return rows[np.unique(again, return_index=True)[1]], again


def tokenize(tokenizer: Any, texts: list[str], length: int, block: int = 4096) -> dict[str, np.ndarray]:
    """The flat arrays of `Tokens`: ids with special tokens, at most `length` a row; long texts keep their beginning.

    A text without any token (empty, where a tokenizer adds no special ones) becomes one padding token.
    """
    nothing = [tokenizer.pad_token_id or 0]
    flat, count = [np.empty(0, dtype=np.int32)], []
    for i in range(0, len(texts), block):
        made = tokenizer(texts[i : i + block], truncation=True, max_length=length, return_attention_mask=False)
        rows = [ids or nothing for ids in made["input_ids"]]
        count += [len(ids) for ids in rows]
        flat.append(np.fromiter((t for ids in rows for t in ids), dtype=np.int32))
    return {"flat": np.concatenate(flat), "start": np.concatenate([[0], np.cumsum(count)]).astype(np.int64)}


def by_length(length: np.ndarray, tokens: int, rows: int) -> list[np.ndarray]:
    """Positions sorted by length and cut into batches of at most `rows` rows and `tokens` padded tokens.

    Args:
        length: (n,) tokens of each row; equal lengths keep their order.

    Returns:
        Batches that together hold each position once; a row longer than the budget makes a batch of its own.
    """
    order = np.argsort(length, kind="stable")
    batches, begin = [], 0
    while begin < len(order):
        # lengths rise, so the batch that ends at position e costs (e - begin) * length[order[e - 1]] padded tokens
        ends = np.arange(begin + 1, min(begin + rows, len(order)) + 1)
        fits = (ends - begin) * length[order[ends - 1]] <= tokens
        end = int(ends[fits][-1]) if fits.any() else begin + 1
        batches.append(order[begin:end])
        begin = end
    return batches


@dataclass(frozen=True)
class TokenBatches:
    """Train batches: rows of like length together, in a new random order each epoch.

    Shuffled rows are cut into pools of `pool` batches' worth; within a pool rows are sorted by length and cut under
    the token budget; the batches are shuffled again. So padding is small and still no two epochs see the same batches.

    Attributes:
        tokens: of all rows known.
        at: (n,) the rows to learn from, as positions in `tokens`.
        y: (n, k) float labels.
        budget: padded tokens a batch.
        rows: largest batch in rows.
        seed: of the order.
    """

    tokens: Tokens
    at: np.ndarray
    y: np.ndarray
    budget: int
    rows: int
    seed: int
    pool: int = 50

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, as positions in `at`; the same ones each time it is asked."""
        rng = np.random.default_rng([self.seed, epoch])
        length = self.tokens.length[self.at]
        order = rng.permutation(len(self.at))
        size = self.pool * max(1, min(self.rows, int(self.budget / length.mean())))
        batches = []
        for i in range(0, len(order), size):
            part = order[i : i + size]
            batches += [part[batch] for batch in by_length(length[part], self.budget, self.rows)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        labels = torch.from_numpy(self.y[rows].astype(np.float32))
        return {"inputs": self.tokens.padded(self.at[rows]), "y": labels}

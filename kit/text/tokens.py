"""Tokens of all rows, computed once for each tokenizer and length."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from kit.text.chinese import sentences


@dataclass(frozen=True)
class Tokens:
    """Token ids of many rows in one flat array.

    Attributes:
        flat: (total,) ids of all rows, one after another.
        start: (n + 1,) where each row starts; the last entry is `total`.
        pad: id of padding.
    """

    flat: np.ndarray
    start: np.ndarray
    pad: int

    @property
    def length(self) -> np.ndarray:
        """(n,) tokens of each row."""
        return np.diff(self.start)

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """Ids and mask of these rows, (len(rows), longest row)."""
        begin, length = self.start[rows], self.start[rows + 1] - self.start[rows]
        column = np.arange(length.max())
        mask = column < length[:, None]
        ids = np.full(mask.shape, self.pad, dtype=np.int64)
        ids[mask] = self.flat[(begin[:, None] + column)[mask]]
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask.astype(np.int64))}

    def key(self, row: int) -> bytes:
        """Equal for rows of equal tokens."""
        return self.flat[self.start[row] : self.start[row + 1]].tobytes()


@dataclass(frozen=True)
class TokenPieces:
    """Rows in several pieces, each with its own tokens.

    Attributes:
        tokens: of every piece.
        first: (n + 1,) the first piece of each row; the last entry is the number of pieces.
        limit: largest number of pieces of a row; those in the middle are left out.
    """

    tokens: Tokens
    first: np.ndarray
    limit: int

    @cached_property
    def length(self) -> np.ndarray:
        """(n,) padded size of each row: its pieces times the longest one."""
        longest = np.maximum.reduceat(self.tokens.length, self.first[:-1])
        return np.minimum(np.diff(self.first), self.limit) * longest

    def pieces(self, row: int) -> np.ndarray:
        """Positions in `tokens` of the pieces that are read."""
        found = np.arange(self.first[row], self.first[row + 1])
        head = (self.limit + 1) // 2
        return found if len(found) <= self.limit else np.concatenate([found[:head], found[head - self.limit :]])

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """Ids and mask of these rows, (len(rows), largest number of pieces, longest piece)."""
        pieces = [self.pieces(row) for row in rows]
        flat = self.tokens.padded(np.concatenate(pieces))
        shape = (len(rows), max(map(len, pieces)), flat["input_ids"].shape[1])
        ids, mask = torch.full(shape, self.tokens.pad), torch.zeros(shape, dtype=torch.int64)
        at = (torch.tensor(np.repeat(np.arange(len(rows)), [len(p) for p in pieces])),
              torch.tensor(np.concatenate([np.arange(len(p)) for p in pieces])))  # fmt: skip
        ids[at], mask[at] = flat["input_ids"], flat["attention_mask"]
        return {"input_ids": ids, "attention_mask": mask}

    def key(self, row: int) -> bytes:
        """Equal for rows of equal pieces."""
        keys = [self.tokens.key(piece) for piece in self.pieces(row)]
        return b"".join(len(key).to_bytes(8, "big") + key for key in keys)


def tokenize(
    tokenizer: Any, texts: list[str], length: int, cut: str = "head", overlap: int = 0, block: int = 4096
) -> dict[str, np.ndarray]:
    """The flat arrays of `Tokens`: ids with special tokens, at most `length` a row or piece.

    A text without any token (empty, where a tokenizer adds no special ones) becomes one padding token.

    Args:
        cut: how a longer text is truncated: `head`, its beginning is kept; `head_tail`, half of `length` from each end
            (Sun et al. 2019); `windows`, all of it in pieces; `sentences`, each sentence is a piece, cut at `length`.
        overlap: tokens that a window shares with the one before.

    Returns:
        `flat` and `start`, and for windows and sentences `first`, see `TokenPieces`.
    """
    nothing = [tokenizer.pad_token_id or 0]
    flat, count, pieces = [np.empty(0, dtype=np.int32)], [], list[int]()
    for i in range(0, len(texts), block):
        made, many = _cut(tokenizer, texts[i : i + block], length, cut, overlap)
        rows = [ids or nothing for ids in made]
        count += [len(ids) for ids in rows]
        pieces += many
        flat.append(np.fromiter((t for ids in rows for t in ids), dtype=np.int32))
    first = {"first": _ends(pieces)} if cut in ("windows", "sentences") else {}
    return {"flat": np.concatenate(flat), "start": _ends(count), **first}


def _ends(counts: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _cut(
    tokenizer: Any, texts: list[str], length: int, cut: str, overlap: int
) -> tuple[Iterable[list[int]], list[int]]:
    """Ids of each piece, and how many pieces each text has."""
    ones = [1] * len(texts)
    if cut == "head_tail":
        whole = tokenizer(texts, return_attention_mask=False, verbose=False)["input_ids"]
        head = (length + 1) // 2
        return [ids if len(ids) <= length else ids[:head] + ids[head - length :] for ids in whole], ones
    given = {"truncation": True, "max_length": length, "return_attention_mask": False}
    if cut == "windows":
        made = tokenizer(texts, **given, stride=overlap, return_overflowing_tokens=True)
        return made["input_ids"], np.bincount(made["overflow_to_sample_mapping"], minlength=len(texts)).tolist()
    if cut == "sentences":
        split = [sentences(text) or [""] for text in texts]
        texts, ones = [sentence for row in split for sentence in row], [len(row) for row in split]
    return tokenizer(texts, **given)["input_ids"], ones

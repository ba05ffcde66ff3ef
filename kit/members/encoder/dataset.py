"""TokenDataset: rows as token ids of a pretrained encoder's tokenizer."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kit.core.files import contents
from kit.core.spec import digest
from kit.members.network.dataset import Dataset
from kit.rows import Rows, join_text
from kit.source import Arrays
from kit.text.tokens import TokenPieces, Tokens, tokenize
from kit.train.lengths import Inputs


class TokenDataset(Dataset):
    """Rows as token ids.

    Args:
        folder: where the tokenizer's files and the encoder's configuration lie.
        length: tokens a row, or a piece of it, at most.
        truncation: what happens to longer texts: `head`, `head_tail`, `windows` or `sentences`, see
            `kit.text.tokens.tokenize`; with the last two a row has several pieces.
        overlap: tokens that a window shares with the one before.
        pieces: windows or sentences a row at most.
    """

    def __init__(
        self, folder: Path, length: int, truncation: str = "head", overlap: int = 0, pieces: int | None = None
    ) -> None:
        self.folder, self.length, self.truncation = folder, length, truncation
        self.overlap, self.pieces = overlap, pieces

    def inputs(self, rows: Rows) -> Inputs:
        if self.truncation in ("head", "head_tail"):
            return tokens_of(rows, self.folder, self.length, self.truncation)
        arrays = _arrays(rows, self.folder, self.length, self.truncation, self.overlap)
        longest = int(np.diff(arrays["first"]).max()) if self.pieces is None else self.pieces
        return TokenPieces(_tokens(arrays), arrays["first"], longest)

    def save(self, folder: Path) -> None:
        from transformers import AutoConfig

        AutoConfig.from_pretrained(self.folder, trust_remote_code=False).save_pretrained(folder)
        tokenizer_of(self.folder).save_pretrained(folder)


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer in a folder of weights; no code from the folder is run."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


@lru_cache(maxsize=4)
def _kept_tokenizer(folder: Path, sums: tuple[str, ...]) -> Any:
    """A tokenizer for reading only. It must not be saved: it remembers where it truncated."""
    return tokenizer_of(folder)


def tokens_of(rows: Rows, folder: Path, length: int, truncation: str = "head") -> Tokens:
    """Tokens of every row of the source, one piece each."""
    return _tokens(_arrays(rows, folder, length, truncation, 0))


def _tokens(arrays: Arrays) -> Tokens:
    return Tokens(arrays["flat"], arrays["start"], int(arrays["pad"]))


def _arrays(rows: Rows, folder: Path, length: int, truncation: str, overlap: int) -> Arrays:
    """The result of `tokenize`, cached by the digest of the tokenizer's files and of all settings that change it."""
    named = (p for p in folder.iterdir() if re.search(r"token|vocab|\.txt$|\.model$", p.name))
    files = sorted(p for p in named if p.is_file())
    sums = tuple(contents(p) for p in files)
    name = "tokens-" + digest([rows.task.text, length, truncation, overlap, sums])[:16]

    def compute(frame: Any) -> Arrays:
        tokenizer = _kept_tokenizer(folder, sums)
        pad = np.array(tokenizer.pad_token_id or 0)
        return {"pad": pad, **tokenize(tokenizer, join_text(frame, rows.task.text), length, truncation, overlap)}

    return rows.source.once(name, compute)

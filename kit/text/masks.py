"""TokenMasks: which tokens a masked language model has to predict, and what it reads in their place."""

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kit.core.errors import KitError
from kit.text.scripts import UNSPACED

BEGINS = ("▁", "Ġ")  # marks of SentencePiece and of byte-level vocabularies in front of a word
ALONE = re.compile(f"[{UNSPACED}]")  # such a character is a word of its own


@dataclass(frozen=True)
class TokenMasks:
    """Draws masks of whole words, as BERT's later checkpoints were trained (Devlin et al. 2019).

    Each word is chosen by itself with the same probability, so the masks of a text differ each time it is read (dynamic
    masks, Liu et al. 2019). Of the chosen tokens 80 % become the mask, 10 % become any other token, 10 % stay.

    Attributes:
        share: probability that a word is chosen.
        mask: id of the mask.
        special: (vocabulary,) bool, tokens that are never chosen and never put in another one's place.
        continues: (vocabulary,) bool, tokens that go on with the word before them; no token for masks of single tokens.
        masked: share of the chosen tokens that become the mask.
        random: share of the chosen tokens that become any other token.
    """

    share: float
    mask: int
    special: np.ndarray
    continues: np.ndarray
    masked: float = 0.8
    random: float = 0.1

    @classmethod
    def of(cls, tokenizer: Any, share: float, whole_words: bool = True) -> Self:
        """Masks for the vocabulary of a tokenizer of transformers.

        Raises:
            KitError: it has no mask token.
        """
        if tokenizer.mask_token_id is None:
            raise KitError("MaskedLM: the tokenizer of these weights has no mask token; take an encoder such as BERT")
        tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        special = np.array([token is None for token in tokens])  # a vocabulary may have ids without a token
        special[[i for i in tokenizer.all_special_ids if i < len(tokens)]] = True
        continues = continuing([token or "" for token in tokens]) if whole_words else np.zeros(len(tokens), dtype=bool)
        return cls(share, tokenizer.mask_token_id, special, continues & ~special)

    def draw(self, ids: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws the masks of a batch.

        Args:
            ids: (n, length) tokens.
            real: (n, length) bool, whether a token is no padding.
            rng: source of the random numbers.

        Returns:
            What the model reads (n, length), and which tokens it has to predict (n, length) bool.
        """
        plain = real & ~self.special[ids]
        inside = np.zeros_like(plain)  # of a word that the token before it belongs to, too
        inside[:, 1:] = plain[:, 1:] & plain[:, :-1] & self.continues[ids[:, 1:]]
        word = np.cumsum(~inside).reshape(ids.shape) - 1
        chosen = plain & (rng.random(word[-1, -1] + 1 if word.size else 0) < self.share)[word]
        turn = rng.random(ids.shape)
        others = np.flatnonzero(~self.special)
        seen = np.where(chosen & (turn < self.masked), self.mask, ids)
        swapped = chosen & (turn >= self.masked) & (turn < self.masked + self.random)
        seen[swapped] = others[rng.integers(len(others), size=int(swapped.sum()))]
        return seen, chosen


def continuing(tokens: list[str]) -> np.ndarray:
    """(vocabulary,) bool: which tokens go on with the word of the token before them.

    WordPiece writes ## in front of them; SentencePiece and byte-level vocabularies mark words where they begin, so that
    an unmarked token of letters or digits goes on. Punctuation and Han characters are words of their own. In a
    vocabulary without marks every token is a word.
    """
    if any(token.startswith("##") for token in tokens):
        return np.array([token.startswith("##") for token in tokens])
    if any(token.startswith(BEGINS) for token in tokens):
        return np.array([_goes_on(token) for token in tokens])
    return np.zeros(len(tokens), dtype=bool)


def _goes_on(token: str) -> bool:
    return not token.startswith(BEGINS) and any(c.isalnum() for c in token) and not ALONE.search(token)

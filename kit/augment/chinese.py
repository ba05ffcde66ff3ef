"""Changes of Chinese text: characters, words, clauses."""

from functools import cache
from typing import Any, Literal

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.lexicon import Lexicon, lexicon
from kit.augment.pieces import clauses, drawn, is_han, sentences
from kit.augment.similar import SHAPE, SOUND, groups
from kit.files import checksums
from kit.spec import KitError
from kit.text.segment import jieba_words


class HanSimilar(Augment):
    """Characters become ones that sound or look alike, as in mistyped text; keeps the length and all other characters.

    The kit's own table has some 300 common characters. Those that it lacks stay.
    """

    share: float = Field(0.1, gt=0, le=1, description="probability of each character of the table to be replaced")
    kinds: tuple[Literal["sound", "shape"], ...] = Field(
        ("sound", "shape"), min_length=1, description="likenesses of the kit's own table"
    )
    table: str | None = Field(None, description="file of lines character<TAB>other,other, instead of the kit's table")

    def reads(self) -> dict[str, str]:
        return checksums(table=self.table)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        known = lexicon(self.table) if self.table else _own_table(self.kinds)
        characters = list(text)
        for i in drawn(len(text), self.share, rng):
            if others := known.get(characters[i]):
                characters[i] = others[int(rng.random() * len(others))]
        return "".join(characters)


class HanDelete(Augment):
    """Chinese characters are left out, here and there one; punctuation and other letters stay."""

    share: float = Field(0.05, gt=0, lt=1, description="probability of each Chinese character to be left out")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        characters = list(text)
        for i in drawn(len(text), self.share, rng):
            if is_han(text[i]):
                characters[i] = ""
        return "".join(characters) or text


class HanSwap(Augment):
    """Neighbouring Chinese characters change places; keeps the characters, breaks words and may make others."""

    share: float = Field(0.05, gt=0, le=1, description="probability of each pair of neighbours to change places")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        characters, free = list(text), 0
        for i in drawn(max(len(text) - 1, 0), self.share, rng):
            if i >= free and is_han(text[i]) and is_han(text[i + 1]):
                characters[i : i + 2] = text[i + 1], text[i]
                free = i + 2
        return "".join(characters)


class ClauseSwap(Augment):
    """Two clauses of a sentence, parted by commas or semicolons, change places; keeps the clauses, breaks their order.

    Commas and the mark that closes the sentence stay where they are.
    """

    share: float = Field(0.1, gt=0, le=1, description="probability of each sentence of several clauses to be changed")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = sentences(text)
        for i in drawn(len(pieces) // 2, self.share, rng):
            parts = clauses(pieces[2 * i + 1])
            full = [at for at in range(1, len(parts), 2) if parts[at].strip()]
            if len(full) > 1:
                one, two = rng.permutation(full)[:2].tolist()
                parts[one], parts[two] = parts[two], parts[one]
                pieces[2 * i + 1] = "".join(parts)
        return "".join(pieces)


class HanWords(Augment):
    """Words become ones of like use, such as the nearest of word vectors: changes words, antonyms among the nearest.

    The text is cut into words by jieba (with a dictionary of its own, whatever was added to the shared one), or without
    it into the longest words that the lexicon has, from left to right.
    """

    share: float = Field(0.1, gt=0, le=1, description="probability of each word of the lexicon to be replaced")
    lexicon: str = Field(description="file of lines word<TAB>word,word; kit.augment.write_neighbours makes one")
    cut: Literal["jieba", "longest"] = Field("jieba", description="what finds the words in a text")

    def reads(self) -> dict[str, str]:
        return checksums(lexicon=self.lexicon)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        known = lexicon(self.lexicon)
        pieces = _segmenter().lcut(text) if self.cut == "jieba" else _longest(text, known)
        for i in drawn(len(pieces), self.share, rng):
            if others := known.get(pieces[i]):
                pieces[i] = others[int(rng.random() * len(others))]
        return "".join(pieces)


@cache
def _own_table(kinds: tuple[str, ...]) -> dict[str, str]:
    return groups(" ".join({"sound": SOUND, "shape": SHAPE}[kind] for kind in kinds))


@cache
def _segmenter() -> Any:
    try:
        return jieba_words()
    except KitError as error:
        raise KitError(f"{error}, or cut=longest") from None


def _longest(text: str, known: Lexicon) -> list[str]:
    """Forward maximum matching; what no entry covers comes one character a piece."""
    pieces, at = [], 0
    while at < len(text):
        ends = (at + length for length in known.lengths.get(text[at], ()))
        end = next((end for end in ends if text[at:end] in known), at + 1)
        pieces.append(text[at:end])
        at = end
    return pieces

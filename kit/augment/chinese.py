"""Augments of Chinese texts: of characters, words and clauses."""

from functools import cache
from typing import Any, Literal

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.lexicon import Lexicon, lexicon
from kit.augment.pieces import clauses, drawn, is_han, sentences
from kit.augment.similar import SHAPE, SOUND, groups
from kit.core.errors import KitError
from kit.core.files import checksums
from kit.text.segment import jieba_words


class HanSimilar(Augment):
    """Replaces characters by others that sound or look alike, as in mistyped text; keeps the length.

    kit's own table has about 300 common characters. Other characters are not changed.
    """

    share: float = Field(0.1, gt=0, le=1, description="probability that a character of the table is replaced")
    kinds: tuple[Literal["sound", "shape"], ...] = Field(
        ("sound", "shape"), min_length=1, description="kinds of similarity in kit's own table"
    )
    table: str | None = Field(None, description="file of lines character<TAB>other,other, instead of kit's table")

    def file_checksums(self) -> dict[str, str]:
        return checksums(table=self.table)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        known = lexicon(self.table) if self.table else _own_table(self.kinds)
        characters = list(text)
        for i in drawn(len(text), self.share, rng):
            if others := known.get(characters[i]):
                characters[i] = others[int(rng.random() * len(others))]
        return "".join(characters)


class HanDelete(Augment):
    """Deletes single Chinese characters; keeps punctuation and other letters."""

    share: float = Field(0.05, gt=0, lt=1, description="probability that a Chinese character is deleted")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        characters = list(text)
        for i in drawn(len(text), self.share, rng):
            if is_han(text[i]):
                characters[i] = ""
        return "".join(characters) or text


class HanSwap(Augment):
    """Swaps neighbouring Chinese characters; keeps the characters, but breaks words and may make new ones."""

    share: float = Field(0.05, gt=0, le=1, description="probability that two neighbours swap places")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        characters, free = list(text), 0
        for i in drawn(max(len(text) - 1, 0), self.share, rng):
            if i >= free and is_han(text[i]) and is_han(text[i + 1]):
                characters[i : i + 2] = text[i + 1], text[i]
                free = i + 2
        return "".join(characters)


class ClauseSwap(Augment):
    """Swaps two clauses of a sentence; keeps the clauses, changes their order.

    Commas, semicolons and the mark at the end of the sentence keep their places.
    """

    share: float = Field(0.1, gt=0, le=1, description="probability that a sentence with several clauses is changed")

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
    """Replaces words by similar words of a lexicon, for example those with the nearest word vectors.

    Antonyms have near vectors too. The text is segmented by jieba, or (`cut="longest"`) into the longest words of the
    lexicon, from left to right.
    """

    share: float = Field(0.1, gt=0, le=1, description="probability that a word of the lexicon is replaced")
    lexicon: str = Field(description="file of lines word<TAB>word,word; kit.augment.write_neighbours makes one")
    cut: Literal["jieba", "longest"] = Field("jieba", description="how the text is segmented")

    def file_checksums(self) -> dict[str, str]:
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
    """Forward maximum matching; a character that is in no word of the lexicon is a piece by itself."""
    pieces, at = [], 0
    while at < len(text):
        ends = (at + length for length in known.lengths.get(text[at], ()))
        end = next((end for end in ends if text[at:end] in known), at + 1)
        pieces.append(text[at:end])
        at = end
    return pieces

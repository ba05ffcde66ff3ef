"""Augments that need neither a lexicon nor a model: punctuation, case, crops."""

import re
from typing import Literal

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.pieces import drawn, sentences, words

MARKS = (".", ";", "?", ":", "!", ",")
NOT_SPACE = re.compile(r"\S+")
CASES = {"upper": str.upper, "lower": str.lower, "capital": str.capitalize, "swap": str.swapcase}


class AEDA(Augment):
    """An easier data augmentation (Karimi, Rossi & Prati 2021): inserts punctuation marks.

    Inserts one of . ; ? : ! , and a space before a random number of words: at least one word, at most a third (`most`)
    of them. Keeps all words and their order; punctuation loses its meaning.
    """

    most: float = Field(1 / 3, gt=0, le=1, description="largest number of marks, as a share of the text's words")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        starts = [word.start() for word in NOT_SPACE.finditer(text)]
        count = min(1 + int(rng.random() * int(self.most * len(starts))), len(starts))
        parts, at = [], 0
        for word in np.sort(rng.permutation(len(starts))[:count]).tolist():
            parts += [text[at : starts[word]], MARKS[int(rng.random() * len(MARKS))], " "]
            at = starts[word]
        return "".join([*parts, text[at:]])


class CaseNoise(Augment):
    """Changes the letter case of words; keeps all words, but words in capitals may appear or disappear."""

    share: float = Field(0.1, gt=0, le=1, description="probability that a word is changed")
    to: tuple[Literal["upper", "lower", "capital", "swap"], ...] = Field(
        ("upper", "lower", "capital"), min_length=1, description="possible cases of a changed word"
    )

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = words(text)
        for i in drawn(len(pieces) // 2, self.share, rng):
            case = CASES[self.to[int(rng.random() * len(self.to))]]
            pieces[2 * i + 1] = case(pieces[2 * i + 1])
        return "".join(pieces)


class Crop(Augment):
    """Keeps a contiguous part of the text. The label may depend on the part that is removed.

    The share that is kept is drawn between `least` and 1, and rounded up to whole units. `part="ends"` removes the
    middle: it keeps one half of the share from the head and one half from the tail, joined by a space (as Sun et al.
    2019 shorten long texts).
    """

    least: float = Field(0.5, gt=0, lt=1, description="smallest share of the text that is kept")
    by: Literal["words", "sentences", "characters"] = Field("words", description="units that are not split")
    part: Literal["any", "head", "tail", "ends"] = Field("any", description="which part is kept")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        spans = self._units(text)
        n = len(spans)
        kept = int(np.ceil(n * (self.least + (1 - self.least) * rng.random())))
        if kept >= n:
            return text
        if self.part == "ends":
            head, tail = (kept + 1) // 2, kept // 2
            begin, end = text[: spans[head - 1][1]], text[spans[n - tail][0] :] if tail else ""
            return begin + " " * (tail > 0 and self.by != "characters") + end
        first = {"any": int(rng.random() * (n - kept + 1)), "head": 0, "tail": n - kept}[self.part]
        return text[spans[first][0] : spans[first + kept - 1][1]]

    def _units(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each unit."""
        if self.by == "characters":
            return [(i, i + 1) for i in range(len(text))]
        if self.by == "words":
            return [word.span() for word in NOT_SPACE.finditer(text)]
        ends = np.cumsum([len(piece) for piece in sentences(text)]).tolist()
        return list(zip(ends[0::2], ends[1::2], strict=False))

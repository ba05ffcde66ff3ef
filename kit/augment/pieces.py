"""Pieces of a text: words, sentences or clauses, and the gaps between them.

A text becomes a list [gap, piece, gap, piece, …, gap]; joined, it is the text again. So a change of pieces keeps all
other characters. Pieces are at the odd places.
"""

import re
from collections.abc import Sequence

import numpy as np

from kit.text import chinese

Pieces = list[str]

WORD = re.compile(r"(\w+(?:['’\-]\w+)*)")
MARK = re.compile(r"[.!?…。！？]+[”’\"')\]」』）】]*$")
COMMAS = re.compile(r"([，、；：]\s*|[,;:](?![\d/])\s*)")  # not those of 1,000 and http://


def words(text: str) -> Pieces:
    """Runs of letters and digits; don't and well-known are one word each. For languages with spaces between words."""
    return WORD.split(text)


def sentences(text: str) -> Pieces:
    """Sentences as `kit.text.chinese.sentences` splits them; white space between them is part of the gaps."""
    pieces = [""]
    for part in chinese.sentences(text):
        body = part.strip()
        if not body:
            pieces[-1] += part
            continue
        begin = part.index(body)
        pieces[-1] += part[:begin]
        pieces += [body, part[begin + len(body) :]]
    return pieces


def clauses(sentence: str) -> Pieces:
    """Parts between commas, semicolons and colons; the mark at the end of the sentence is the last gap."""
    mark = MARK.search(sentence)
    end = mark.start() if mark else len(sentence)
    return ["", *COMMAS.split(sentence[:end]), sentence[end:]]


def drawn(n: int, share: float, rng: np.random.Generator) -> list[int]:
    """Chooses each of the indices 0 … n − 1 with probability `share`; ascending."""
    return (rng.random(n) < share).nonzero()[0].tolist()


def spared(n: int, share: float, rng: np.random.Generator) -> list[int]:
    """Like `drawn`, but if n > 0 at least one index is not chosen."""
    taken = drawn(n, share, rng)
    if taken and len(taken) == n:
        taken.pop(int(rng.random() * n))
    return taken


def without(pieces: Pieces, gone: Sequence[int]) -> str:
    """The text without some pieces, and without one space beside each of them.

    Args:
        pieces: changed in place.
        gone: numbers of the pieces to remove, from 0, ascending.
    """
    for number in reversed(gone):
        at = 2 * number + 1
        pieces[at] = ""
        if pieces[at + 1][:1] == " ":
            pieces[at + 1] = pieces[at + 1][1:]
        else:
            pieces[at - 1] = pieces[at - 1].removesuffix(" ")
    return "".join(pieces)


def cased_like(word: str, model: str) -> str:
    """`word` in the case of `model`: all capitals, a first capital, or unchanged."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def is_han(character: str) -> bool:
    """Whether it is a Chinese character."""
    ranges = (("\u4e00", "\u9fff"), ("\u3400", "\u4dbf"), ("\U00020000", "\U0003ffff"))
    return any(first <= character <= last for first, last in ranges)

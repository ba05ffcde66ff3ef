"""Pieces of a text: words, sentences and clauses with all that stands between them.

A text is cut into a list [gap, piece, gap, piece, …, gap] whose concatenation is the text, so that whoever changes
pieces keeps every other character. Pieces lie at the odd places.
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
    """Runs of letters and digits, don't and well-known each as one; for languages that put spaces between words."""
    return WORD.split(text)


def sentences(text: str) -> Pieces:
    """Sentences as `kit.text.chinese.sentences` cuts them; the space between them belongs to the gaps."""
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
    """What commas, semicolons and colons part; the closing mark of the sentence is the last gap."""
    mark = MARK.search(sentence)
    end = mark.start() if mark else len(sentence)
    return ["", *COMMAS.split(sentence[:end]), sentence[end:]]


def drawn(n: int, share: float, rng: np.random.Generator) -> list[int]:
    """Which of n things are taken, each with the same probability, in rising order."""
    return (rng.random(n) < share).nonzero()[0].tolist()


def spared(n: int, share: float, rng: np.random.Generator) -> list[int]:
    """As `drawn`, but of n > 0 things at least one, each as likely, is not taken."""
    taken = drawn(n, share, rng)
    if taken and len(taken) == n:
        taken.pop(int(rng.random() * n))
    return taken


def without(pieces: Pieces, gone: Sequence[int]) -> str:
    """The text less some pieces, numbered from 0 and rising, and less one space beside each; changes `pieces`."""
    for number in reversed(gone):
        at = 2 * number + 1
        pieces[at] = ""
        if pieces[at + 1][:1] == " ":
            pieces[at + 1] = pieces[at + 1][1:]
        else:
            pieces[at - 1] = pieces[at - 1].removesuffix(" ")
    return "".join(pieces)


def cased_like(word: str, model: str) -> str:
    """`word` in capitals, or with a first one, where `model` has them."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def is_han(character: str) -> bool:
    """Whether it is a Chinese character."""
    ranges = (("\u4e00", "\u9fff"), ("\u3400", "\u4dbf"), ("\U00020000", "\U0003ffff"))
    return any(first <= character <= last for first, last in ranges)

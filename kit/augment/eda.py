"""EDA: easy data augmentation (Wei & Zou 2019), and its four operations as single augments."""

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.lexicon import Lexicon, lexicon, synonyms
from kit.augment.pieces import Pieces, cased_like, spared, without, words
from kit.core.files import checksums

SHARE = Field(0.1, gt=0, le=1, description="share of the words that are changed, at least one word")
LEXICON = Field(description="file of lines word<TAB>synonym,synonym, or of the Paraphrase Database")


class SynonymReplacement(Augment):
    """Replaces a share of the words by synonyms; keeps the order of words and, if the lexicon is good, the meaning.

    Words that are not in the lexicon, such as stop words, are not changed.
    """

    share: float = SHARE
    lexicon: str = LEXICON

    def file_checksums(self) -> dict[str, str]:
        return checksums(lexicon=self.lexicon)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return replace(text, self.share, lexicon(self.lexicon), rng)


class RandomInsertion(Augment):
    """Inserts synonyms of the text's words at random places; keeps all words."""

    share: float = Field(0.1, gt=0, le=1, description="inserted words, as a share of the text's words; at least one")
    lexicon: str = LEXICON

    def file_checksums(self) -> dict[str, str]:
        return checksums(lexicon=self.lexicon)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return insert(text, self.share, lexicon(self.lexicon), rng)


class RandomSwap(Augment):
    """Swaps pairs of words; keeps the words, but changes their order, which may change the meaning."""

    share: float = Field(0.1, gt=0, le=1, description="number of swaps, as a share of the text's words; at least one")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return swap(text, self.share, rng)


class RandomDeletion(Augment):
    """Deletes random words, also words like "not"; keeps at least one word."""

    share: float = Field(0.1, gt=0, le=1, description="probability that a word is deleted")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return delete(text, self.share, rng)


class EDA(Augment):
    """One of synonym replacement, random insertion, random swap and random deletion, with equal probability.

    Without a lexicon it is swap or deletion. The paper recommends an alpha of 0.05 to 0.1. Unlike its code, this class
    keeps case and punctuation, and replaces a word at one place only. For languages with spaces between words.
    """

    alpha: float = Field(0.1, gt=0, le=1, description="share of the words that is changed")
    lexicon: str | None = Field(None, description="lexicon of synonyms: file of lines word<TAB>synonym,synonym")

    def file_checksums(self) -> dict[str, str]:
        return checksums(lexicon=self.lexicon)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        turn = int(rng.random() * (2 if self.lexicon is None else 4))
        if self.lexicon is None or turn < 2:
            return (swap, delete)[turn](text, self.alpha, rng)
        return (replace, insert)[turn - 2](text, self.alpha, lexicon(self.lexicon), rng)


def replace(text: str, share: float, known: Lexicon, rng: np.random.Generator) -> str:
    """The text with a share of its words replaced by synonyms."""
    pieces = words(text)
    for at, others in _with_synonyms(pieces, _count(pieces, share), known, rng):
        pieces[at] = cased_like(others[int(rng.random() * len(others))], pieces[at])
    return "".join(pieces)


def insert(text: str, share: float, known: Lexicon, rng: np.random.Generator) -> str:
    """The text with synonyms of its words inserted at random places."""
    pieces = words(text)
    count = _count(pieces, share)
    sources = _with_synonyms(pieces, count, known, rng)
    for number, (other, place) in enumerate(rng.random((count if sources else 0, 2)).tolist()):
        _, others = sources[number % len(sources)]
        word, at = others[int(other * len(others))], 2 * int(place * (len(pieces) // 2 + 1)) + 1
        if at < len(pieces):
            pieces[at] = f"{word} {pieces[at]}"
        else:
            pieces[-2] += f" {word}"
    return "".join(pieces)


def swap(text: str, share: float, rng: np.random.Generator) -> str:
    """The text with pairs of its words exchanged."""
    pieces = words(text)
    n = len(pieces) // 2
    for one, two in rng.random((_count(pieces, share) if n > 1 else 0, 2)).tolist():
        i = int(one * n)
        j = (i + 1 + int(two * (n - 1))) % n
        pieces[2 * i + 1], pieces[2 * j + 1] = pieces[2 * j + 1], pieces[2 * i + 1]
    return "".join(pieces)


def delete(text: str, share: float, rng: np.random.Generator) -> str:
    """The text without some of its words, each deleted with the same probability, but never all."""
    pieces = words(text)
    return without(pieces, spared(len(pieces) // 2, share, rng))


def _with_synonyms(
    pieces: Pieces, count: int, known: Lexicon, rng: np.random.Generator
) -> list[tuple[int, tuple[str, ...]]]:
    """Places and synonyms of at most `count` words that have synonyms, in random order."""
    found: list[tuple[int, tuple[str, ...]]] = []
    for i in rng.permutation(len(pieces) // 2).tolist():
        if len(found) == count:
            break
        if others := synonyms(known, pieces[2 * i + 1]):
            found.append((2 * i + 1, others))
    return found


def _count(pieces: Pieces, share: float) -> int:
    return max(1, int(share * (len(pieces) // 2)))

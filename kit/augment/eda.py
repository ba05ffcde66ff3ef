"""EDA: easy data augmentation (Wei & Zou 2019), its four operations one by one and as one."""

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.lexicon import Lexicon, lexicon, synonyms
from kit.augment.pieces import Pieces, cased_like, spared, without, words
from kit.files import checksums

SHARE = Field(0.1, gt=0, le=1, description="words changed over words of the text; at least one is")
LEXICON = Field(description="file of lines word<TAB>synonym,synonym, or of the Paraphrase Database")


class SynonymReplacement(Augment):
    """A share of the words becomes synonyms: changes words, keeps their order and, as far as the lexicon, the sense.

    Words that the lexicon lacks, stop words among them, stay.
    """

    share: float = SHARE
    lexicon: str = LEXICON

    def reads(self) -> dict[str, str]:
        return checksums(lexicon=self.lexicon)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return replace(text, self.share, lexicon(self.lexicon), rng)


class RandomInsertion(Augment):
    """Synonyms of words of the text are put at random places: adds words, keeps all that were there."""

    share: float = Field(0.1, gt=0, le=1, description="words inserted over words of the text; at least one is")
    lexicon: str = LEXICON

    def reads(self) -> dict[str, str]:
        return checksums(lexicon=self.lexicon)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return insert(text, self.share, lexicon(self.lexicon), rng)


class RandomSwap(Augment):
    """Pairs of words change places: keeps the words, changes their order, and who did what to whom."""

    share: float = Field(0.1, gt=0, le=1, description="swaps over words of the text; there is at least one")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return swap(text, self.share, rng)


class RandomDeletion(Augment):
    """Words are left out, a "not" as readily as others; one word always stays."""

    share: float = Field(0.1, gt=0, le=1, description="probability of each word to be left out")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return delete(text, self.share, rng)


class EDA(Augment):
    """One of synonym replacement, random insertion, random swap and random deletion, each as likely.

    Changes as many words as each says. Without a lexicon there are only swap and deletion. The paper advises an alpha
    of 0.05 to 0.1, and of no more where there are thousands of texts to learn from. Unlike in its code, case and
    punctuation are kept, and a replaced word is replaced at one place. For languages written with spaces.
    """

    alpha: float = Field(0.1, gt=0, le=1, description="share of the words that is changed")
    lexicon: str | None = Field(None, description="lexicon of synonyms: file of lines word<TAB>synonym,synonym")

    def reads(self) -> dict[str, str]:
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
    """The text with synonyms of its words between its words, before and behind them."""
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
    """The text less some of its words, each left out with the same probability, but never all."""
    pieces = words(text)
    return without(pieces, spared(len(pieces) // 2, share, rng))


def _with_synonyms(
    pieces: Pieces, count: int, known: Lexicon, rng: np.random.Generator
) -> list[tuple[int, tuple[str, ...]]]:
    """Places of at most `count` words that have synonyms, in random order, and these."""
    found: list[tuple[int, tuple[str, ...]]] = []
    for i in rng.permutation(len(pieces) // 2).tolist():
        if len(found) == count:
            break
        if others := synonyms(known, pieces[2 * i + 1]):
            found.append((2 * i + 1, others))
    return found


def _count(pieces: Pieces, share: float) -> int:
    return max(1, int(share * (len(pieces) // 2)))

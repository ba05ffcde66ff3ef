"""Augments of nlpaug (Ma 2019) without its faults: typing errors, spelling errors and OCR errors.

Faults of nlpaug 1.1.11, and how they are avoided here:

- It uses the global random generators of random and numpy: here each object has its own `sample`, seeded by `rng`.
- It returns lists, and an empty list for an empty text: here its actions are called directly.
- Its tokenizer loses white space and separates punctuation: here it gets single words, which are put back in place.
- It changes between one and ten words: here the share of words is the same for short and long texts.
- It is slow on long texts (it copies the rest of the text for each word): here it gets one word at a time.
- It looks words up in their own case only: here lower case is tried too, and capitals are restored.
- It has one spelling dictionary per process, in the order of Python's hashes, which differ between processes: here each
  file is read separately and sorted.
- It replaces keys by neighbours in random case, and one neighbour of "u" is " t": here case is kept, spaces removed.
- A deleted second word comes back when the first is deleted, a crop may wrap around or fail, and swaps of single
  characters fail: here the places are drawn by kit.
"""

import copy
import random
import re
import string
from abc import abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.pieces import cased_like, drawn, without, words
from kit.core.errors import KitError
from kit.core.files import checksums
from kit.core.lazy import later

if TYPE_CHECKING:
    import nlpaug.augmenter.char as nac
    import nlpaug.augmenter.word as naw
    import nlpaug.model.word_dict as nmw
else:
    nac, naw = later("nlpaug.augmenter.char"), later("nlpaug.augmenter.word")
    nmw = later("nlpaug.model.word_dict")

SHARE = Field(0.1, gt=0, le=1, description="probability that a word is changed, if it can be")
CHARACTERS = Field(0.1, gt=0, le=1, description="share of characters changed in such a word, rounded up")
SPELT = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # the dictionary has entries such as [[the and th?


class _Words(Augment):
    """Changes words one by one with an augmenter of nlpaug; keeps the gaps between words."""

    share: float = SHARE

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = words(text)
        taken = drawn(len(pieces) // 2, self.share, rng)
        if taken:
            machine = _seeded(self, rng)
            for at in (2 * i + 1 for i in taken):
                if self._can(machine, pieces[at]):
                    pieces[at] = self._changed(machine, pieces[at])
        return "".join(pieces)

    @abstractmethod
    def _make(self) -> Any:
        """The augmenter of nlpaug."""

    @abstractmethod
    def _can(self, machine: Any, word: str) -> bool:
        """Whether this word can be changed."""

    def _changed(self, machine: Any, word: str) -> str:
        return machine.substitute(word)


class CharacterNoise(_Words):
    """Inserts, substitutes, deletes or swaps characters of words (Belinkov & Bisk 2018).

    New characters are Latin letters; a substituted one has the case of the old one. At least one character is kept.
    """

    action: Literal["insert", "substitute", "swap", "delete"] = Field("swap", description="change of the characters")
    characters: float = CHARACTERS
    shortest: int = Field(4, ge=1, description="shorter words are not changed")

    def _make(self) -> Any:
        return nac.RandomCharAug(
            action=self.action, aug_char_p=self.characters, aug_char_max=None, aug_word_p=1, min_char=1,
            candidates=list(string.ascii_lowercase),
        )  # fmt: skip

    def _can(self, machine: Any, word: str) -> bool:
        return len(word) >= max(self.shortest, 1 + (self.action in ("swap", "delete")))

    def _changed(self, machine: Any, word: str) -> str:
        changed = getattr(machine, self.action)(word) or word
        return _cased(changed, word) if self.action == "substitute" else changed


class KeyboardErrors(_Words):
    """Replaces characters by neighbours on the keyboard, in the same case; keeps the number of characters."""

    language: Literal["de", "en", "es", "fr", "he", "it", "nl", "pl", "th", "tr", "uk"] = Field(
        "en", description="language of the keyboard"
    )
    characters: float = CHARACTERS
    shortest: int = Field(4, ge=1, description="shorter words are not changed")

    def _make(self) -> Any:
        machine = nac.KeyboardAug(
            lang=self.language, aug_char_p=self.characters, aug_char_max=None, aug_word_p=1, min_char=1
        )
        keys = machine.model.model
        keys.update((key, [near.strip() for near in keys[key]]) for key in list(keys))
        return machine

    def _can(self, machine: Any, word: str) -> bool:
        return len(word) >= self.shortest

    def _changed(self, machine: Any, word: str) -> str:
        return _cased(machine.substitute(word), word)


class OCRErrors(_Words):
    """Replaces characters by others that OCR confuses with them, such as O by 0; keeps the number of characters.

    nlpaug's table has about twenty letters and digits. Words without any of them are not changed.
    """

    characters: float = CHARACTERS

    def _make(self) -> Any:
        return nac.OcrAug(aug_char_p=self.characters, aug_char_min=1, aug_char_max=None, aug_word_p=1, min_char=1)

    def _can(self, machine: Any, word: str) -> bool:
        return any(character in machine.model.model for character in word)


class SpellingErrors(_Words):
    """Replaces words by common misspellings; some of these are words too. English, unless `file` is given."""

    file: str | None = Field(None, description="lines of a word and its misspellings, separated by spaces")

    def file_checksums(self) -> dict[str, str]:
        return checksums(file=self.file)

    def _make(self) -> Any:
        machine = naw.SpellingAug(aug_p=1)
        try:
            read = nmw.Spelling(self.file or machine.dict_path, include_reverse=False)
        except OSError as error:
            raise KitError(f"misspellings {self.file} cannot be read: {error.strerror}") from None
        known = {word: sorted({o for o in others if SPELT.fullmatch(o)} - {word}) for word, others in read.dict.items()}
        read.dict = {word: others for word, others in known.items() if others}
        machine.model = read
        return machine

    def _can(self, machine: Any, word: str) -> bool:
        return word in machine.model.dict or word.lower() in machine.model.dict

    def _changed(self, machine: Any, word: str) -> str:
        return cased_like(machine.substitute(word if word in machine.model.dict else word.lower()), word)


class WordSplit(_Words):
    """Inserts a space at a random place in a word; keeps all characters."""

    shortest: int = Field(4, ge=2, description="shorter words are not changed")

    def _make(self) -> Any:
        return naw.SplitAug(aug_p=1, min_char=1)

    def _can(self, machine: Any, word: str) -> bool:
        return len(word) >= self.shortest

    def _changed(self, machine: Any, word: str) -> str:
        return machine.split(word)


class WordNoise(Augment):
    """Swaps neighbouring words, deletes random words, or crops (deletes a run of words); keeps at least one word.

    Swapping keeps all words; deleting and cropping may remove words that the label depends on.
    """

    action: Literal["swap", "delete", "crop"] = Field("swap", description="change of the words")
    share: float = Field(0.1, gt=0, le=1, description="mean share of the words that are swapped or deleted")

    def _make(self) -> Any:
        return naw.RandomWordAug(action=self.action)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = words(text)
        n = len(pieces) // 2
        count = min(int(rng.binomial(n, self.share)), n - 1)
        if count < 1:
            return text
        # nlpaug gets numbers in place of words, because it would change their case. The first one is a sign that it
        # skips: when it deletes the first word, it restores the second
        numbers = [str(i) for i in range(n)] if self.action == "swap" else ["<", *map(str, range(n))]
        begin = 1 + int(rng.random() * (n - count + 1))
        machine = _seeded(self, rng)
        machine.tokenizer, machine.reverse_tokenizer = lambda _: numbers, list
        machine.generate_aug_cnt = lambda size: count
        machine._get_aug_range_idxes = lambda tokens: list(range(begin, begin + count))
        left = [int(number) for number in getattr(machine, self.action)("-") if number != "<"]
        if self.action != "swap":
            return without(pieces, sorted(set(range(n)) - set(left)))
        pieces[1::2] = [pieces[2 * i + 1] for i in left]
        return "".join(pieces)


@lru_cache(maxsize=32)
def augmenter(spec: _Words | WordNoise, *contents: str) -> Any:
    """nlpaug's augmenter for a spec, cached by the content of its files.

    Raises:
        KitError: nlpaug is not installed.
    """
    try:
        machine = spec._make()
    except ImportError as error:
        raise KitError(f"{type(spec).__name__} needs nlpaug: pip install 'kit[augment]' ({error})") from None
    machine.tokenizer = lambda word: [word]
    machine.reverse_tokenizer = " ".join  # of the halves of a word that was split, else there is one
    return machine


def _seeded(spec: _Words | WordNoise, rng: np.random.Generator) -> Any:
    """A copy of nlpaug's augmenter for a spec; all its random numbers come from `rng`."""
    machine, draws = (
        copy.copy(augmenter(spec, *spec.file_checksums().values())),
        random.Random(int(rng.integers(2**63))),
    )
    machine.sample = lambda x, num=1: draws.randint(1, x - 1) if isinstance(x, int) else draws.sample(x, num)
    return machine


def _cased(changed: str, word: str) -> str:
    """Gives each new character of `changed` the case of the character at the same place in `word`."""
    pairs = [(new, new.upper() if old.isupper() else new.lower(), old) for new, old in zip(changed, word, strict=True)]
    return "".join(new if new == old or len(cased) > 1 else cased for new, cased, old in pairs)  # ß has no capital

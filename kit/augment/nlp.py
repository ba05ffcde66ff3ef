"""nlpaug (Ma 2019), with its faults mended, as augments: slips of keys, of spelling, of character recognition.

What nlpaug 1.1.11 does by itself, and what is done about it here:

- it draws from the global generators of random and numpy → every object gets a `sample` of its own, seeded by `rng`;
- it returns lists, and an empty one for an empty text → its actions are called directly;
- its tokenizer loses white space and sets punctuation off → it is given words, which are put back where they were;
- it changes ten words at most, and one at least → the share is one of all texts, long and short;
- it compares each word with every chosen one, and copies the rest of the text for each → it gets one word at a time;
- it looks words up with their capitals only → small letters are tried too, and capitals given back;
- it keeps one spelling dictionary a process, the first one asked for, in the order of Python's hashes, which differs
  between processes → each file is read for itself, and sorted;
- keys become neighbours in random case, and one neighbour of "u" is " t" → case is kept, and space taken off;
- a deleted second word comes back when the first is deleted, a crop may wrap around the text or fail, single characters
  fail to be swapped → places are drawn here.
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
from kit.files import checksums
from kit.lazy import later
from kit.spec import KitError

if TYPE_CHECKING:
    import nlpaug.augmenter.char as nac
    import nlpaug.augmenter.word as naw
    import nlpaug.model.word_dict as nmw
else:
    nac, naw = later("nlpaug.augmenter.char"), later("nlpaug.augmenter.word")
    nmw = later("nlpaug.model.word_dict")

SHARE = Field(0.1, gt=0, le=1, description="probability of each word that can be changed to be changed")
CHARACTERS = Field(0.1, gt=0, le=1, description="share of a changed word's characters, rounded up")
SPELT = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # the dictionary has entries such as [[the and th?


class _Words(Augment):
    """Words changed one by one by an augmenter of nlpaug; gaps between them stay."""

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
        """Whether there is something to change."""

    def _changed(self, machine: Any, word: str) -> str:
        return machine.substitute(word)


class CharacterNoise(_Words):
    """Characters of words are inserted, substituted, deleted, or swapped with neighbours (Belinkov & Bisk 2018).

    Inserted and substituted ones are small Latin letters. Deletion and swaps leave one character and more.
    """

    action: Literal["insert", "substitute", "swap", "delete"] = Field("swap", description="what is done to characters")
    characters: float = CHARACTERS
    shortest: int = Field(4, ge=1, description="characters of the shortest word that is changed")

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
    """Characters become neighbours on the keyboard, in the same case; keeps the number of characters."""

    language: Literal["de", "en", "es", "fr", "he", "it", "nl", "pl", "th", "tr", "uk"] = Field(
        "en", description="whose keyboard"
    )
    characters: float = CHARACTERS
    shortest: int = Field(4, ge=1, description="characters of the shortest word that is changed")

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
    """Characters become ones that machines read in their place, such as 0 for O; keeps the number of characters.

    nlpaug has a table for some twenty letters and digits; words without any of them stay.
    """

    characters: float = CHARACTERS

    def _make(self) -> Any:
        return nac.OcrAug(aug_char_p=self.characters, aug_char_min=1, aug_char_max=None, aug_word_p=1, min_char=1)

    def _can(self, machine: Any, word: str) -> bool:
        return any(character in machine.model.model for character in word)


class SpellingErrors(_Words):
    """Words become misspellings that people were seen to write, some of them other words; English without a `file`."""

    file: str | None = Field(None, description="lines of a word and its misspellings, parted by spaces")

    def reads(self) -> dict[str, str]:
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
    """A space is put into words, anywhere; keeps all characters."""

    shortest: int = Field(4, ge=2, description="characters of the shortest word that is changed")

    def _make(self) -> Any:
        return naw.SplitAug(aug_p=1, min_char=1)

    def _can(self, machine: Any, word: str) -> bool:
        return len(word) >= self.shortest

    def _changed(self, machine: Any, word: str) -> str:
        return machine.split(word)


class WordNoise(Augment):
    """Words swapped with a neighbour, deleted here and there, or cropped: a run of them deleted; one always stays.

    Swapping keeps the words; deleting and cropping may take what the label hangs on. Capitals stay with their word.
    """

    action: Literal["swap", "delete", "crop"] = Field("swap", description="what is done to words")
    share: float = Field(0.1, gt=0, le=1, description="share of the words, in the mean, that are swapped or deleted")

    def _make(self) -> Any:
        return naw.RandomWordAug(action=self.action)

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = words(text)
        n = len(pieces) // 2
        count = min(int(rng.binomial(n, self.share)), n - 1)
        if count < 1:
            return text
        # nlpaug gets numbers of words, whose case it can't change; one that it skips stands before those to delete,
        # because it writes the second word anew when it deletes the first
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
def _machine(spec: _Words | WordNoise, *contents: str) -> Any:
    try:
        machine = spec._make()
    except ImportError as error:
        raise KitError(f"{type(spec).__name__} needs nlpaug: pip install 'kit[augment]' ({error})") from None
    machine.tokenizer = lambda word: [word]
    machine.reverse_tokenizer = " ".join  # of the halves of a word that was split, else there is one
    return machine


def _seeded(spec: _Words | WordNoise, rng: np.random.Generator) -> Any:
    """nlpaug's object for a spec, a copy that draws from `rng` alone."""
    machine, draws = copy.copy(_machine(spec, *spec.reads().values())), random.Random(int(rng.integers(2**63)))
    machine.sample = lambda x, num=1: draws.randint(1, x - 1) if isinstance(x, int) else draws.sample(x, num)
    return machine


def _cased(changed: str, word: str) -> str:
    """Each new character of `changed` in the case of the one at its place in `word`."""
    pairs = [(new, new.upper() if old.isupper() else new.lower(), old) for new, old in zip(changed, word, strict=True)]
    return "".join(new if new == old or len(cased) > 1 else cased for new, cased, old in pairs)  # ß has no capital

"""Texts as symbols whose runs are n-grams: the same as in scikit-learn, for many texts at once."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from pydantic import Field

from kit.core.spec import Spec, validator
from kit.text import scripts

BLOCK = 1_000_000  # characters handled together: bounds memory; large enough to make numpy's overhead small
_TOKEN = re.compile(r"(?u)\b\w\w+\b")  # scikit-learn's default token_pattern
_SPACES = re.compile(r"\s\s+")  # the char analyzer reads a run of white space as one blank


class Grams(Spec):
    """Which n-grams are counted; the settings mean what they mean in scikit-learn's CountVectorizer."""

    analyzer: Literal["word", "char", "char_wb"] = Field(
        "word", description="n-grams of words, of characters, or of characters inside one blank-padded word"
    )
    tokens: Literal["word", "script"] = Field(
        "word",
        description="words: of two letters or more between spaces, as in scikit-learn; or, by their script, also the "
        "units of Chinese, Japanese and others that are written without spaces",
    )
    ngram_range: tuple[int, int] = Field((1, 1), description="shortest and longest n-gram, 1 to 32 symbols")
    lowercase: bool = Field(True, description="convert to lower case first")
    strip_accents: Literal["ascii", "unicode"] | None = Field(None, description="é → e: by ASCII only, or any mark")

    @validator(mode="after")
    def _range_is_one(self) -> "Grams":
        if not 1 <= self.ngram_range[0] <= self.ngram_range[1] <= 32:
            raise ValueError(f"ngram_range {self.ngram_range} is not 1 ≤ shortest ≤ longest ≤ 32")
        return self

    def preprocess(self, text: str) -> str:
        """The text in lower case and without accents, as the settings say, in scikit-learn's order."""
        text = text.lower() if self.lowercase else text
        if self.strip_accents is None or text.isascii():
            return text
        if self.strip_accents == "unicode" and self.tokens == "script":
            return scripts.strip_accents(text)
        text = unicodedata.normalize("NFKD", text)
        if self.strip_accents == "ascii":
            return text.encode("ascii", "ignore").decode("ascii")
        return "".join([c for c in text if not unicodedata.combining(c)])

    def words(self, text: str) -> list[str]:
        """The words of a preprocessed text."""
        return _TOKEN.findall(text) if self.tokens == "word" or text.isascii() else scripts.tokens(text)


@dataclass
class Block:
    """Some texts as one run of symbols.

    Attributes:
        symbols: (m,) code points or word numbers; -1 where unknown.
        lengths: (rows,) symbols of each text.
        room: (m,) symbols from here to the end of the unit that no n-gram may cross (the text, or the padded word).
        alone: (units,) starts of padded words shorter than the shortest n-gram; such a word is a term itself.
    """

    symbols: np.ndarray
    lengths: np.ndarray
    room: np.ndarray
    alone: np.ndarray


def read(grams: Grams, texts: Sequence[str], number: Callable[[Iterator[str]], Iterator[int]]) -> Block:
    """Cuts texts into symbols; `number` turns words into numbers."""
    texts = [grams.preprocess(t) for t in texts]
    alone = np.empty(0, np.intp)
    if grams.analyzer == "word":
        tokens = [grams.words(t) for t in texts]
        lengths = np.fromiter(map(len, tokens), np.intp, len(tokens))
        symbols = np.fromiter(number(chain.from_iterable(tokens)), np.int32, lengths.sum())
        return Block(symbols, lengths, _room(lengths, grams.ngram_range[1]), alone)
    if grams.analyzer == "char":
        texts = [_SPACES.sub(" ", t) for t in texts]
    else:  # each word with its own space on either side
        texts = [f" {'  '.join(words)} " if (words := t.split()) else "" for t in texts]
    symbols = code_points("".join(texts))
    units = lengths = np.fromiter(map(len, texts), np.intp, len(texts))
    if grams.analyzer == "char_wb":
        blanks = np.flatnonzero(symbols == 32)  # words hold no white space, so blanks come in pairs around words
        units = blanks[1::2] - blanks[::2] + 1
        alone = blanks[::2][units < grams.ngram_range[0]]
    return Block(symbols, lengths, _room(units, grams.ngram_range[1]), alone)


def _room(units: np.ndarray, most: int) -> np.ndarray:
    ends = np.cumsum(units)
    return np.minimum(np.repeat(ends, units) - np.arange(ends[-1] if len(ends) else 0), most).astype(np.uint8)


def slices(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Texts in runs of about BLOCK characters."""
    start = size = 0
    for stop, text in enumerate(texts, 1):
        size += len(text) + 1
        if size >= BLOCK or stop == len(texts):
            yield texts[start:stop]
            start, size = stop, 0


def code_points(text: str) -> np.ndarray:
    """(len(text),) int32 code points; lone surrogates, found in broken files, count as characters."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<i4")


def string_arrays(terms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Strings as arrays: all characters one after the other, and the length of each string."""
    return code_points("".join(terms)), np.fromiter(map(len, terms), np.int32, len(terms))


def string_list(letters: np.ndarray, lengths: np.ndarray, chosen: np.ndarray | None = None) -> list[str]:
    """The strings that `string_arrays` took apart, or those at the places `chosen`."""
    text = np.asarray(letters).tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - lengths
    if chosen is not None:
        starts, ends = starts[chosen], ends[chosen]
    return [text[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]

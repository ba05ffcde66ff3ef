"""Word vectors: the initial embedding of each unit, learnt from the competition's text or read from a file."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.core.files import checksums
from kit.core.spec import Spec, validator
from kit.text.vector_files import ENDINGS, gensim_models, read_vectors

Texts = Callable[[], Iterable[list[str]]]
LONGEST = 10_000  # gensim silently drops the units of a text beyond this number


class Coverage(NamedTuple):
    """Coverage: number of units, share of units with a vector, share of the text with a vector."""

    size: int
    units: float
    text: float

    def __str__(self) -> str:
        return f"{self.units:.1%} of {self.size:,} units, {self.text:.1%} of the text".replace("%", " %")


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Vectors of a vocabulary.

    Attributes:
        values: (units, width) fp32, in the vocabulary's order.
        known: (units,) whether the unit has a vector of its own; the others' are random.
    """

    values: np.ndarray
    known: np.ndarray

    def covered(self, counts: Sequence[int] | np.ndarray) -> Coverage:
        """Shares that have a vector, where unit i occurs counts[i] times."""
        times = np.asarray(counts, dtype=float)
        return Coverage(len(self.known), float(self.known.mean()), float(times @ self.known / max(times.sum(), 1)))


class Vectors(Spec):
    """The source of a vocabulary's vectors. A subclass gives `find`."""

    seed: int = Field(0, ge=0, lt=2**32, description="seed of everything random")

    def table(self, units: Sequence[str], texts: Texts) -> VectorTable:
        """The units' vectors.

        A unit without one gets a random one, normal with the known ones' standard deviation (Kim, 2014). Unlike
        zeros, random vectors keep such units distinct, also in a frozen table, and have the usual size.

        Args:
            units: the vocabulary; none twice. A unit that stands for padding gets a vector like the others.
            texts: gives all texts as lists of units, from the start at every call.

        Raises:
            KitError: no unit has a vector.
        """
        found = self.find(units, texts)
        if not found:
            raise KitError(f"{type(self).__name__} has a vector for none of the {len(units):,} units")
        known = np.array([unit in found for unit in units])
        vectors = np.stack([found[unit] for unit in units if unit in found]).astype(np.float32, copy=False)
        shape = (len(units), vectors.shape[1])
        values = np.random.default_rng(self.seed).standard_normal(shape, dtype=np.float32) * vectors.std()
        values[known] = vectors
        return VectorTable(values, known)

    @abstractmethod
    def find(self, units: Sequence[str], texts: Texts) -> dict[str, np.ndarray]:
        """Vectors (width,) of those units that have one."""


class Word2Vec(Vectors):
    """Vectors that predict a unit's neighbours (Mikolov et al. 2013), learnt from the texts; no labels are read.

    With one thread and one seed every run gives the same numbers.
    """

    width: int = Field(100, ge=1, description="numbers in a vector")
    window: int = Field(5, ge=1, description="units to either side that are neighbours, at most")
    negative: int = Field(5, ge=1, description="negative samples for each neighbour")
    epochs: int = Field(5, ge=1, description="passes over the texts")
    min_count: int = Field(3, ge=1, description="a unit that occurs more rarely gets no vector")
    subsample: float = Field(1e-3, ge=0, description="frequency above which a unit is randomly skipped; 0: never")
    skip_gram: bool = Field(True, description="predict neighbours from the unit; else the unit from their mean (CBOW)")
    threads: int = Field(1, ge=1, description="more are faster, but then every run gives other numbers")

    def find(self, units: Sequence[str], texts: Texts) -> dict[str, np.ndarray]:
        """Vectors of the units that occur `min_count` times.

        Raises:
            KitError: none does, or gensim is missing.
        """
        vectors = self._learn(gensim_models().Word2Vec, texts)
        return {unit: vectors[unit] for unit in units if unit in vectors.key_to_index}

    def _learn(self, kind: Any, texts: Texts, **more: int) -> Any:
        model = kind(
            vector_size=self.width,
            window=self.window,
            negative=self.negative,
            epochs=self.epochs,
            min_count=self.min_count,
            sample=self.subsample,
            sg=int(self.skip_gram),
            workers=self.threads,
            seed=self.seed,
            **more,
        )
        model.build_vocab(_Pieces(texts))
        if not len(model.wv):
            raise KitError(
                f"{type(self).__name__}: no unit occurs {self.min_count} times in the texts; lower min_count"
            )
        model.train(_Pieces(texts), total_examples=model.corpus_count, epochs=self.epochs)
        return model.wv


@dataclass(frozen=True)
class _Pieces:
    """Texts that can be iterated several times, long ones in pieces."""

    texts: Texts

    def __iter__(self) -> Iterator[list[str]]:
        for text in self.texts():
            yield from (text[at : at + LONGEST] for at in range(0, len(text), LONGEST))


class FastText(Word2Vec):
    """Word2Vec whose vectors are means over a unit and its subwords (Bojanowski et al., 2017).

    A unit never seen thereby gets the mean of its subwords, if one of these occurs in a unit that was learnt.
    Subwords are runs of `shortest` to `longest` characters of <unit>; the one subword of a lone 水 is <水>. For Chinese
    words `shortest` 1 lets those that share a character share a subword.
    """

    shortest: int = Field(3, ge=1, description="characters of the shortest subword")
    longest: int = Field(6, ge=1, description="characters of the longest subword")
    buckets: int = Field(200_000, ge=1, description="rows that subwords share by their hash, each as wide as a vector")

    @validator(mode="after")
    def _in_order(self) -> "FastText":
        if self.shortest > self.longest:
            raise ValueError(f"shortest = {self.shortest} is above longest = {self.longest}")
        return self

    def find(self, units: Sequence[str], texts: Texts) -> dict[str, np.ndarray]:
        """Vectors of the units that were learnt, and of those that share a subword (its bucket) with one.

        Raises:
            KitError: no unit occurs `min_count` times, or gensim is missing.
        """
        models = gensim_models()
        subwords = {"min_n": self.shortest, "max_n": self.longest, "bucket": self.buckets}
        vectors = self._learn(models.FastText, texts, **subwords)
        learnt = np.zeros(self.buckets, dtype=bool)
        learnt[np.concatenate(vectors.buckets_word)] = True
        hashes: Callable[..., list[int]] = models.fasttext.ft_ngram_hashes
        return {
            unit: vectors[unit]
            for unit in units
            if unit in vectors.key_to_index or learnt[hashes(unit, self.shortest, self.longest, self.buckets)].any()
        }


class VectorFile(Vectors):
    """Vectors of a file, see `kit.text.vector_files.read_vectors` for the formats. The texts are not read."""

    path: str = Field(description="a .txt, .vec or .bin (these also as .gz or .zip) or .npz")
    lower: bool = Field(True, description="look for a missing unit in lower case")
    characters: bool = Field(False, description="a missing Chinese word gets the mean of its characters")

    @validator(mode="after")
    def _known_ending(self) -> "VectorFile":
        if not ENDINGS.search(self.path):
            raise ValueError(f"'{self.path}' should end in .txt, .vec, .bin, .npz, .gz or .zip")
        return self

    def file_checksums(self) -> dict[str, str]:
        return checksums(path=self.path)

    def find(self, units: Sequence[str], texts: Texts) -> dict[str, np.ndarray]:
        """Vectors of the units as they stand, else in lower case, else by their characters.

        Raises:
            KitError: there is no such file, or it is damaged.
        """
        wanted = {*units}
        if self.lower:
            wanted |= {unit.lower() for unit in units}
        if self.characters:
            wanted |= {character for unit in units if _chinese(unit) for character in unit}
        there = read_vectors(Path(self.path).expanduser(), wanted)
        found = {}
        for unit in units:
            if unit in there:
                found[unit] = there[unit]
            elif self.lower and unit.lower() in there:
                found[unit] = there[unit.lower()]
            elif self.characters and _chinese(unit) and (parts := [there[c] for c in unit if c in there]):
                found[unit] = np.mean(parts, axis=0)
        return found


def _chinese(unit: str) -> bool:
    return bool(unit) and all("\u3400" <= character <= "\u9fff" or character >= "\U00020000" for character in unit)

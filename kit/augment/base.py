"""Augment: a changed text from a text; and how augments are put together and seeded."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from kit.spec import KitError, Spec

BLOCK = 1024  # rows whose generators are held at a time
STREAM = int.from_bytes(b"augmented")  # a stream of random numbers of its own, whatever else the seed seeds


class Augment(Spec):
    """A way to change texts: `augment(text, rng)` is another text.

    The same text and state of `rng` give the same answer, and nothing outside is touched: no global random state, no
    counter. Whether a changed text keeps its label is for the recipe to judge: each augment says what it changes.
    """

    @abstractmethod
    def __call__(self, text: str, rng: np.random.Generator) -> str:
        """The changed text; one in which there is nothing to change comes back as it is."""

    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]:
        """Each text changed by its own generator, as one call after another would."""
        return [self(text, rng) for text, rng in zip(texts, rngs, strict=True)]


class Together(Augment):
    """An augment that is at its best with many texts at once, as models are; it gives `many`."""

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        return self.many([text], [rng])[0]

    @abstractmethod
    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]: ...


class Chain(Together):
    """One step after another; it keeps what all of them keep."""

    steps: tuple[Augment, ...] = Field(min_length=1, description="augments, the first one first")

    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]:
        for step in self.steps:
            texts = step.many(texts, rngs)
        return list(texts)


class OneOf(Together):
    """One of several, each as likely as the others; it keeps what all of them keep."""

    choices: tuple[Augment, ...] = Field(min_length=1, description="augments of which each text meets one")

    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]:
        taken = [int(rng.random() * len(self.choices)) for rng in rngs]
        for number, choice in enumerate(self.choices):
            texts = _some(choice, texts, rngs, [number == t for t in taken])
        return list(texts)


class Sometimes(Together):
    """A step for a share of the texts; the others stay as they are."""

    step: Augment = Field(description="augment")
    p: float = Field(0.5, ge=0, le=1, description="probability that a text meets it")

    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]:
        return _some(self.step, texts, rngs, [rng.random() < self.p for rng in rngs])


def _some(
    augment: Augment, texts: Sequence[str], rngs: Sequence[np.random.Generator], which: Sequence[bool]
) -> list[str]:
    """All texts, those of `which` changed."""
    at = [i for i, wanted in enumerate(which) if wanted]
    changed = dict(zip(at, augment.many([texts[i] for i in at], [rngs[i] for i in at]), strict=True)) if at else {}
    return [changed.get(i, text) for i, text in enumerate(texts)]


def augmented(
    texts: Sequence[str], augment: Augment, seed: int, epoch: int, rows: Sequence[int], column: int = 0
) -> list[str]:
    """The texts as they are read in an epoch.

    A text depends on (seed, column, epoch, its row number) alone: not on the order of rows, on who works on them, or on
    whether the run was resumed.

    Args:
        texts: (n,) those of `rows`.
        seed: of the run, not negative.
        epoch: counted from 0.
        rows: (n,) numbers of the rows in the whole table.
        column: number of the text column, where rows have several.

    Raises:
        KitError: as many texts as rows are wanted, and no negative number.
    """
    if len(texts) != len(rows):
        raise KitError(f"{len(texts)} texts were given for {len(rows)} rows")
    numbers = np.asarray(rows, dtype=np.int64)
    if min(seed, epoch, numbers.min(initial=0)) < 0:
        raise KitError("seed, epoch and row numbers of augmented texts cannot be negative")
    changed: list[str] = []
    for start in range(0, len(texts), BLOCK):
        some = numbers[start : start + BLOCK].tolist()
        rngs = [np.random.default_rng([STREAM, seed, column, epoch, row]) for row in some]
        changed += augment.many(texts[start : start + BLOCK], rngs)
    return changed

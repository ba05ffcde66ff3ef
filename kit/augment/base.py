"""Augment: a random change of a text or a picture. Also how augments are combined and seeded."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import Spec, validator

Changes = Literal["texts", "pictures"]

BLOCK = 1024  # number of rows whose random generators are in memory at a time
STREAM = int.from_bytes(b"augmented")  # part of the seed: other uses of the same seed get other random numbers


class Augment(Spec):
    """A random change of samples, which are texts or pictures: `augment(sample, rng)` gives another sample.

    The same sample and the same state of `rng` give the same result; no global random state is used. Each augment says
    what it changes. Whether the label stays right is for the author of the recipe to decide.
    """

    @property
    def changes(self) -> Changes:
        """What a sample is: a text (str), or a picture (height, width, 3) uint8."""
        return "texts"

    @property
    def crops(self) -> bool:
        """For pictures: whether it chooses the part that is shown; if not, it is the centre, as for validation rows."""
        return False

    @abstractmethod
    def __call__(self, sample: Any, rng: np.random.Generator) -> Any:
        """The changed sample, or the same one if there is nothing to change."""

    def many(self, samples: Sequence[Any], rngs: Sequence[np.random.Generator]) -> list[Any]:
        """Changes each sample with its own generator; gives the same samples as single calls."""
        return [self(sample, rng) for sample, rng in zip(samples, rngs, strict=True)]


class BatchAugment(Augment):
    """An augment that is faster on many samples at once, for example one with a model. A subclass implements `many`."""

    def __call__(self, sample: Any, rng: np.random.Generator) -> Any:
        return self.many([sample], [rng])[0]

    @abstractmethod
    def many(self, samples: Sequence[Any], rngs: Sequence[np.random.Generator]) -> list[Any]: ...


class Combined(BatchAugment):
    """Base class of augments that are made of augments, all of texts or all of pictures."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Augment, ...]:
        """The augments that it is made of."""

    @property
    def changes(self) -> Changes:
        return self.parts[0].changes

    @property
    def crops(self) -> bool:
        return any(part.crops for part in self.parts)

    @validator(mode="after")
    def _check_parts(self) -> Self:
        for part in self.parts:
            if part.changes != self.changes:
                one, other = type(self.parts[0]).__name__, type(part).__name__
                raise ValueError(f"{one} changes {self.changes}, and {other} {part.changes}; combine those of one kind")
        return self


class Chain(Combined):
    """Applies several augments, one after the other."""

    steps: tuple[Augment, ...] = Field(min_length=1, description="augments, in this order")

    @property
    def parts(self) -> tuple[Augment, ...]:
        return self.steps

    def many(self, samples: Sequence[Any], rngs: Sequence[np.random.Generator]) -> list[Any]:
        for step in self.steps:
            samples = step.many(samples, rngs)
        return list(samples)


class OneOf(Combined):
    """Applies one of several augments to each sample, all with the same probability."""

    choices: tuple[Augment, ...] = Field(min_length=1, description="augments; each sample gets one of them")

    @property
    def parts(self) -> tuple[Augment, ...]:
        return self.choices

    def many(self, samples: Sequence[Any], rngs: Sequence[np.random.Generator]) -> list[Any]:
        taken = [int(rng.random() * len(self.choices)) for rng in rngs]
        for number, choice in enumerate(self.choices):
            samples = _some(choice, samples, rngs, [number == t for t in taken])
        return list(samples)


class Sometimes(Combined):
    """Applies an augment to a share of the samples; the others are not changed."""

    step: Augment = Field(description="the augment")
    p: float = Field(0.5, ge=0, le=1, description="probability that a sample is changed")

    @property
    def parts(self) -> tuple[Augment, ...]:
        return (self.step,)

    def many(self, samples: Sequence[Any], rngs: Sequence[np.random.Generator]) -> list[Any]:
        return _some(self.step, samples, rngs, [rng.random() < self.p for rng in rngs])


def _some(
    augment: Augment, samples: Sequence[Any], rngs: Sequence[np.random.Generator], which: Sequence[bool]
) -> list[Any]:
    """All samples; those that `which` marks are changed."""
    at = [i for i, wanted in enumerate(which) if wanted]
    changed = dict(zip(at, augment.many([samples[i] for i in at], [rngs[i] for i in at]), strict=True)) if at else {}
    return [changed.get(i, sample) for i, sample in enumerate(samples)]


def augmented(
    texts: Sequence[Any], augment: Augment, seed: int, epoch: int, rows: Sequence[int], column: int = 0
) -> list[Any]:
    """The augmented texts or pictures of an epoch.

    The change of a sample depends only on (seed, column, epoch, row number): not on the order of rows, the number of
    workers, or whether the run was resumed.

    Args:
        texts: (n,) texts or pictures of `rows`.
        augment: the augment.
        seed: seed of the run, not negative.
        epoch: number of the epoch, from 0.
        rows: (n,) numbers of the rows in the whole table.
        column: number of the column of texts, or of the picture within a row, if rows have several.

    Returns:
        (n,) changed samples.

    Raises:
        KitError: the numbers of samples and rows differ, or a number is negative.
    """
    if len(texts) != len(rows):
        raise KitError(f"{len(texts)} samples were given for {len(rows)} rows")
    numbers = np.asarray(rows, dtype=np.int64)
    if min(seed, epoch, numbers.min(initial=0)) < 0:
        raise KitError("seed, epoch and row numbers of augmented samples cannot be negative")
    changed: list[Any] = []
    for start in range(0, len(texts), BLOCK):
        some = numbers[start : start + BLOCK].tolist()
        rngs = [np.random.default_rng([STREAM, seed, column, epoch, row]) for row in some]
        changed += augment.many(texts[start : start + BLOCK], rngs)
    return changed

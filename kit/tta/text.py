"""Views of texts: windows, which can cover a long text, and random edits."""

import math
import re
from abc import abstractmethod
from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.augment import Augment
from kit.core.errors import KitError, nearest
from kit.core.spec import digest, validator
from kit.rows import join_text
from kit.task import Task
from kit.tta.base import NewColumns, View

_WORD = re.compile(r"\S+")


class TextView(View):
    """A view that changes each text by itself; a missing text counts as empty."""

    columns: tuple[str, ...] = Field((), description="text columns that are changed; empty: all of them")

    def check(self, task: Task) -> None:
        names, kind = self.columns or task.text, type(self).__name__
        if not names:
            raise KitError(f"{kind} needs texts, but task '{task.name}' has no text column")
        if lost := [name for name in names if name not in task.text]:
            raise KitError(f"{kind}.columns: '{lost[0]}' is not a text column" + nearest(lost[0], list(task.text)))

    def see(self, frame: pd.DataFrame, task: Task, seed: int) -> Iterator[NewColumns]:
        self.check(task)
        names = self.columns or task.text
        seen = [self.looks(join_text(frame, [name]), seed) for name in names]
        yield from (dict(zip(names, texts, strict=True)) for texts in zip(*seen, strict=True))

    @abstractmethod
    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        """Yields for each view the changed texts, one for each of `texts`."""


class Augmented(TextView):
    """Texts changed by an augment. Its random numbers are seeded by the text itself and `seed`."""

    augment: Augment = Field(description="the augment that changes a text")
    count: int = Field(1, ge=1, description="number of views, each with its own random numbers")

    @validator(mode="after")
    def _check_augment(self) -> Self:
        if self.augment.changes != "texts":
            raise ValueError(
                f"augment={type(self.augment).__name__} changes pictures; take Flips, Rotations, FiveCrops or Scales"
            )
        return self

    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        salt = f"{digest(self.augment.identity())} {seed}"
        for i in range(self.count):
            yield self.augment.many(texts, [_generator(f"{salt} {i} {text}") for text in texts])


def _generator(salted: str) -> np.random.Generator:
    bits = blake2b(salted.encode(errors="surrogatepass"), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(bits, "little"))


class _Windowed(TextView):
    size: int | float = Field(0.5, gt=0, description="size of a window: a number of units, or a share of the text")
    unit: Literal["words", "characters"] = Field("words", description="the units; words are separated by spaces")

    @validator(mode="after")
    def _size_is_possible(self) -> Self:
        if isinstance(self.size, float) and self.size > 1:
            raise ValueError(f"size = {self.size!r} is neither a whole number ≥ 1 nor a share between 0.0 and 1.0")
        return self

    def _window(self, text: str, place: int, last: int, parts: float = math.inf) -> str:
        """Window number `place` of evenly spaced ones: 0 is the head, `last` the tail. At least 1/parts of the text."""
        spans = [m.span() for m in _WORD.finditer(text)] if self.unit == "words" else []
        n = len(spans) if self.unit == "words" else len(text)
        width = self.size if isinstance(self.size, int) else max(1, round(self.size * n))
        width = max(width, math.ceil(n / parts))
        if width >= n:
            return text
        start = place * (n - width) // last
        stop = start + width
        return text[spans[start][0] : spans[stop - 1][1]] if spans else text[start:stop]


class Window(_Windowed):
    """The head, middle or tail of a text. A text that is not longer than the window is kept whole."""

    place: Literal["head", "middle", "tail"] = Field("head", description="which part of the text")

    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        place = ("head", "middle", "tail").index(self.place)
        yield [self._window(text, place, 2) for text in texts]


class Windows(_Windowed):
    """Evenly spaced windows from head to tail. If `count` windows of `size` cannot cover the text, they grow."""

    count: int = Field(3, ge=2, description="number of windows; each is a view")

    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        for i in range(self.count):
            yield [self._window(text, i, self.count - 1, self.count) for text in texts]

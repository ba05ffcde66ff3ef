"""Views of texts: windows, several of which cover a long text, and random edits."""

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
from kit.data import Task, join_text
from kit.spec import KitError, digest, nearest, validator
from kit.tta.base import Columns, View

_WORD = re.compile(r"\S+")


class TextView(View):
    """Sees each text by itself; a missing one counts as empty."""

    columns: tuple[str, ...] = Field((), description="text columns that are seen another way; empty: all of them")

    def see(self, frame: pd.DataFrame, task: Task, seed: int) -> Iterator[Columns]:
        names, kind = self.columns or task.text, type(self).__name__
        if not names:
            raise KitError(f"{kind} sees texts another way, and task '{task.name}' names no text column")
        if lost := [name for name in names if name not in task.text]:
            raise KitError(f"{kind}.columns: '{lost[0]}' is no text column" + nearest(lost[0], list(task.text)))
        seen = [self.looks(join_text(frame, [name]), seed) for name in names]
        yield from (dict(zip(names, texts, strict=True)) for texts in zip(*seen, strict=True))

    @abstractmethod
    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        """All the texts as the first view has them, then as the second has them, and so on."""


class Augmented(TextView):
    """Texts as an augmentation changes them; what it draws is seeded by the text itself and `seed`."""

    augment: Augment = Field(description="what changes a text")
    count: int = Field(1, ge=1, description="views, each with draws of its own")

    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        salt = f"{digest(self.augment.identity())} {seed}"
        for i in range(self.count):
            yield self.augment.many(texts, [_generator(f"{salt} {i} {text}") for text in texts])


def _generator(salted: str) -> np.random.Generator:
    bits = blake2b(salted.encode(errors="surrogatepass"), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(bits, "little"))


class _Windowed(TextView):
    size: int | float = Field(0.5, gt=0, description="units of a window: a number, or a share of the text")
    unit: Literal["words", "characters"] = Field("words", description="what is counted; words stand between blanks")

    @validator(mode="after")
    def _size_is_possible(self) -> Self:
        if isinstance(self.size, float) and self.size > 1:
            raise ValueError(f"size = {self.size!r} is neither a number ≥ 1 nor a share between 0.0 and 1.0")
        return self

    def _window(self, text: str, place: int, last: int, parts: float = math.inf) -> str:
        """The window at `place` of evenly spaced ones, 0 at the head, `last` at the tail; at least 1/parts of all."""
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
    """The head, middle or tail of a text; one that is no longer than the window stays whole."""

    place: Literal["head", "middle", "tail"] = Field("head", description="which part of the text")

    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        place = ("head", "middle", "tail").index(self.place)
        yield [self._window(text, place, 2) for text in texts]


class Windows(_Windowed):
    """Evenly spaced windows from head to tail that together cover the text: wider than `size` where need be."""

    count: int = Field(3, ge=2, description="windows, each a view")

    def looks(self, texts: list[str], seed: int) -> Iterator[list[str]]:
        for i in range(self.count):
            yield [self._window(text, i, self.count - 1, self.count) for text in texts]

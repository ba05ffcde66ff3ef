"""Features: numbers that describe rows, computed once for all of a source's rows; they read no labels."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from kit.data import Rows, Source, Task, join_text
from kit.features.text_statistics import text_statistics
from kit.spec import Spec, digest


class Features(Spec):
    """A way to describe rows by numbers.

    `alone` says whether a row's numbers come of that row alone; else of the other rows too, among which there must be
    neither views nor changed copies of it.
    """

    alone: ClassVar[bool] = True

    def of(self, rows: Rows) -> np.ndarray:
        """(source's rows, features) float32 for every row of `rows.source`, computed once."""
        name = f"features-{digest([self.key(), list(rows.task.text)])[:16]}"
        return rows.source.once(name, lambda _: {"values": self.compute(rows.source, rows.task)})["values"]

    def key(self) -> Any:
        """JSON-ready; changes with everything but the rows that the numbers depend on."""
        return self.identity()

    @abstractmethod
    def compute(self, source: Source, task: Task) -> np.ndarray:
        """(n, features) float32 of all rows of a source."""


class TextStatistics(Features):
    """How a text is written rather than what it says: lengths, shares of signs, repetition."""

    version = 2

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return text_statistics(join_text(source.frame, task.text)).to_numpy()


def not_alone(value: Any) -> str | None:
    """The name of a class of features that a spec is made of and that tells a row from the other rows, if there is one.

    Args:
        value: a spec, or several in a tuple.
    """
    if isinstance(value, Features) and not value.alone:
        return type(value).__name__
    if isinstance(value, Spec):
        value = tuple(getattr(value, name) for name in type(value).model_fields)
    return next(filter(None, map(not_alone, value)), None) if isinstance(value, (tuple, list)) else None

"""Features: numbers that describe rows, computed once for all of a source's rows; they read no labels."""

from abc import abstractmethod

import numpy as np

from kit.data import Rows, Source, Task, join_text
from kit.features.text_statistics import text_statistics
from kit.spec import Spec, digest


class Features(Spec):
    """A way to describe rows by numbers."""

    def of(self, rows: Rows) -> np.ndarray:
        """(source's rows, features) float32 for every row of `rows.source`, computed once."""
        name = f"features-{digest([self.dump(), list(rows.task.text)])[:16]}"
        return rows.source.once(name, lambda _: {"values": self.compute(rows.source, rows.task)})["values"]

    @abstractmethod
    def compute(self, source: Source, task: Task) -> np.ndarray:
        """(n, features) float32 of all rows of a source."""


class TextStatistics(Features):
    """How a text is written rather than what it says: lengths, shares of signs, repetition."""

    version = 2

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return text_statistics(join_text(source.frame, task.text)).to_numpy()

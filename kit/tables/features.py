"""Features: numbers that describe rows. They read no labels and are computed once for all rows of a source."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from kit.core.spec import Spec, digest
from kit.rows import Rows
from kit.source import Source
from kit.task import Task


class Features(Spec):
    """Numbers that describe rows.

    `alone`: a row's numbers depend on that row alone. If not, they depend on the other rows too, which must then hold
    no views and no augmented copies of it.
    """

    alone: ClassVar[bool] = True

    def of(self, rows: Rows) -> np.ndarray:
        """(source's rows, features) float32 for every row of `rows.source`, computed once."""
        name = f"features-{digest([self.key(), list(rows.task.text)])[:16]}"
        return rows.source.once(name, lambda _: {"values": self.compute(rows.source, rows.task)})["values"]

    def key(self) -> Any:
        """JSON-ready; everything that the numbers depend on, except the rows."""
        return self.identity()

    def check(self, task: Task) -> None:
        """Refuses a task that they cannot describe; members with features call it before anything is fitted.

        Raises:
            KitError: says why. By default every task is fine.
        """

    @abstractmethod
    def compute(self, source: Source, task: Task) -> np.ndarray:
        """(n, features) float32 of all rows of a source."""


def not_alone(value: Any) -> str | None:
    """The class name of features inside a spec that depend on other rows; None if there are none.

    Args:
        value: a spec, or several in a tuple.
    """
    if isinstance(value, Features) and not value.alone:
        return type(value).__name__
    if isinstance(value, Spec):
        value = tuple(getattr(value, name) for name in type(value).model_fields)
    return next(filter(None, map(not_alone, value)), None) if isinstance(value, (tuple, list)) else None

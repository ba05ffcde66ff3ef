"""Selection: which columns a member learns from, chosen by the train rows of a fold."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kit.core.spec import Spec
from kit.features.base import Features
from kit.member import Member
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.task import Task
from kit.text.statistics import TextStatistics


@dataclass(frozen=True)
class ChosenColumns:
    """What a selection says of the columns.

    Attributes:
        figures: column → a number that the choice follows; the greater, the better the column.
        kept: the columns that stay, in order.
        fits: models that were fitted for it.
    """

    figures: dict[str, float]
    kept: tuple[str, ...]
    fits: int


class Selection(Spec):
    """A way to choose columns. It sees train rows with labels, and of other rows columns alone."""

    @abstractmethod
    def choose(self, member: Member, train: Rows, valid: Rows, work: Path) -> ChosenColumns:
        """Chooses among the columns that the member would read.

        Args:
            member: the member that will learn from them.
            train: rows with labels.
            valid: rows of the validation fold; their labels must not be read.
            work: a folder for what the choice fits.
        """


def innermost(member: Member) -> Any:
    """The member itself; of a wrapper, the one within."""
    inner: Any = member
    while isinstance(getattr(inner, "member", None), Member):
        inner = inner.member
    return inner


def described(member: Member, task: Task) -> tuple[Features, ...]:
    """All features that a member reads beside plain columns; of a wrapper, those of the member within."""
    inner = innermost(member)
    if hasattr(inner, "described"):
        return inner.described(task)
    text = getattr(inner, "text", False) is True and bool(task.text)
    return (*([TextStatistics()] if text else []), *getattr(inner, "features", ()))


def fitted_columns(member: Member, train: Rows) -> tuple[Columns, pd.DataFrame]:
    """The columns that a member reads, and their frame of the train rows."""
    plain = getattr(innermost(member), "tabular", True) and bool(train.task.tabular(train.source.frame.columns))
    return Columns.fit(train, described(member, train.task), plain)


def chosen(names: Sequence[str], figures: np.ndarray, keep: np.ndarray, fits: int) -> ChosenColumns:
    """The columns that `keep` is true of; the best one where it is true of none."""
    if not keep.any():
        keep = np.arange(len(names)) == int(np.argmax(figures))
    kept = tuple(name for name, stays in zip(names, keep, strict=True) if stays)
    return ChosenColumns({name: float(value) for name, value in zip(names, figures, strict=True)}, kept, fits)

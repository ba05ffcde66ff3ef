"""Features: columns made of rows, computed once for all of them, or fitted on the train rows of a fold."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.spec import Spec, digest, validator
from kit.rows import Rows
from kit.source import Source
from kit.task import Task


class Features(Spec):
    """Columns made of rows. A class of your own writes one of two methods:

    - `compute`, where no label is read and nothing is learnt from train rows alone: it is called once for all rows of a
      source, folds and members;
    - `fit_transform`, for all others: it is called in each fold with its train rows, so nothing leaks from rows that
      are scored.

    `alone`: a row's values depend on that row alone. If not, they depend on the other rows too, which must then hold
    no views and no augmented copies of it.
    """

    alone: ClassVar[bool] = True

    @validator(mode="after")
    def _is_written(self) -> Self:
        if self.is_computed and type(self).compute is Features.compute:
            raise ValueError("it has neither compute nor fit_transform; write one of them")
        return self

    @property
    def is_computed(self) -> bool:
        """Whether values are computed once for all rows, and none is fitted in the fold."""
        return type(self).fit_transform is Features.fit_transform

    def check(self, task: Task) -> None:
        """Refuses a task that they cannot describe; members with features call it before anything is fitted.

        Raises:
            KitError: says why. By default every task is fine.
        """

    def compute(self, source: Source, task: Task) -> np.ndarray:
        """(n, features) float32 of all rows of a source."""
        raise KitError(f"{type(self).__name__} is fitted on the train rows of a fold; it has no values before")

    def of(self, rows: Rows) -> np.ndarray:
        """(source's rows, features) float32 for every row of `rows.source`, computed once."""
        name = f"features-{digest([self.key(), list(rows.task.text)])[:16]}"
        return rows.source.once(name, lambda _: {"values": self.compute(rows.source, rows.task)})["values"]

    def key(self) -> Any:
        """JSON-ready; everything that computed values depend on, except the rows."""
        return self.identity()

    def names(self, rows: Rows) -> list[str]:
        """What each computed column is, for reports; by default the name of the class and a number."""
        return [f"{type(self).__name__} {i}" for i in range(self.of(rows).shape[1])]

    def prepare(self, rows: Rows) -> None:
        """Computes once, for all rows of `rows.source`, what needs no labels."""
        if self.is_computed:
            self.of(rows)

    def fit_transform(self, train: Rows) -> "tuple[FittedFeatures, pd.DataFrame]":
        """Fits on train rows, and gives their own values, which may differ from what `transform` says of them.

        Who reads labels gives each train row a value that its own label is no part of (cross-fitting).

        Returns:
            What was fitted, and the columns (n, features) of the train rows: numbers, or strings for categories, under
            names that say what they are.
        """
        fitted = ComputedFeatures(self)
        return fitted, fitted.transform(train)


class FittedFeatures(ABC):
    """What `Features.fit_transform` has fitted."""

    @abstractmethod
    def transform(self, rows: Rows) -> pd.DataFrame:
        """The columns (n, features) of rows that were not fitted on, as those of the train rows."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes everything that `load` needs into an empty folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""


class ComputedFeatures(FittedFeatures):
    """Values that are computed once for all rows: in the fold nothing is left to fit."""

    def __init__(self, features: Features) -> None:
        self.features = features

    def transform(self, rows: Rows) -> pd.DataFrame:
        return pd.DataFrame(self.features.of(rows)[rows.at], columns=self.features.names(rows))

    def save(self, folder: Path) -> None:
        write_json(folder / "features.json", self.features.to_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(Features.from_dict(read_json(folder / "features.json")))


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

"""Folds: the base class. A plan gives each row a fold number; `split` gives the rows of one fold."""

import hashlib
from abc import abstractmethod
from typing import Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError, nearest
from kit.core.spec import Spec


class Folds(Spec):
    """How rows are split: `plan` numbers the rows once, `split` gives the rows of one fold."""

    @abstractmethod
    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        """The number of the fold that validates each row, (n,) int16, -1 for none. Equal settings give equal plans.

        Args:
            frame: (n, …) the rows; only columns that the settings name are read.
            y: (n,) or (n, targets) labels.
            duplicates: (n,) integers, equal for rows that are duplicates (`kit.run.duplicates`); None where none are.

        Raises:
            KitError: a column is missing or has gaps, or rows, groups or times are too few for the folds.
        """

    def split(self, plan: np.ndarray, fold: int, frame: pd.DataFrame | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the train rows and the validation rows of `fold`. Only a gap in time needs the frame."""
        if fold not in (known := fold_numbers(plan)):
            raise KitError(f"fold {fold} does not exist; there are: {', '.join(map(str, known))}")
        train = np.flatnonzero(self._trained(plan, fold, frame))
        if not len(train):
            raise KitError(f"fold {fold} has no rows to train on")
        return train, np.flatnonzero(plan == fold)

    def beside_plan(self) -> dict[str, Any]:
        """Settings that, in addition to the plan, decide which rows a fold trains on; JSON-ready."""
        return {}

    def clusters(self, frame: pd.DataFrame, duplicates: np.ndarray | None = None) -> np.ndarray | None:
        """Numbers (n,), equal for rows that stay together in one fold; None if no rows do."""
        same = self._together(frame, duplicates)
        return same if len(np.unique(same)) < len(same) else None

    def _together(self, frame: pd.DataFrame, duplicates: np.ndarray | None) -> np.ndarray:
        return np.arange(len(frame))

    def _trained(self, plan: np.ndarray, fold: int, frame: pd.DataFrame | None) -> np.ndarray:
        return plan != fold


def fold_numbers(plan: np.ndarray) -> list[int]:
    """The fold numbers of a plan, in order; they need not start at 0 and may have gaps."""
    return [int(fold) for fold in np.unique(plan[plan >= 0])]


def plan_digest(plan: np.ndarray) -> str:
    """SHA-256 of the plan, 64 hexadecimal digits, the same on every machine."""
    return hashlib.sha256(plan.astype("<i2").tobytes()).hexdigest()


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column that folds read.

    Raises:
        KitError: it is missing or has gaps.
    """
    if name not in frame.columns:
        raise KitError(f"folds: column '{name}' is missing" + nearest(name, [str(c) for c in frame.columns]))
    if (gaps := frame[name].isna().to_numpy()).any():
        raise KitError(f"folds: column '{name}' is empty in {gaps.sum()} rows, the first at position {gaps.argmax()}")
    return frame[name]


def per_row(values: np.ndarray | None, frame: pd.DataFrame, what: str) -> np.ndarray:
    """One value a row of the frame; labels as (n, targets)."""
    if np.ndim(values := np.asarray(values)) == 0 or len(values) != len(frame):
        raise KitError(f"folds: {what} have shape {values.shape} but there are {len(frame)} rows")
    return values if what == "duplicates" or values.ndim > 1 else values[:, None]

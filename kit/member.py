"""Member and Predictor: the one interface of everything that can be fitted."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field

from kit.data import Rows
from kit.spec import Spec


class Predictor(ABC):
    """What `fit` gives back: always fitted, never changed afterwards."""

    @abstractmethod
    def predict(self, rows: Rows) -> np.ndarray:
        """Probabilities (values for regression), float (n, outputs), in the order of `rows`."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes all that `load` needs into an existing folder; no pickles of foreign objects."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """The predictor that `save` wrote; it predicts the same numbers."""


class Member(Spec):
    """One kind of model with its settings. A frozen spec: hash it, diff it, override it, send it elsewhere.

    What learns from data is fitted inside `fit` on train rows only. What reads no labels goes through
    `rows.source.once`, and `prepare` does it ahead of the folds so that parallel folds share it.
    """

    seed: int = Field(0, ge=0, description="seeds everything random in this member")

    @abstractmethod
    def fit(self, train: Rows, valid: Rows, work: Path) -> Predictor:
        """Fits on `train`.

        Args:
            train: rows with labels.
            valid: the rows of the judged fold; only early stopping and curves may look at their labels.
            work: folder for checkpoints and `log.jsonl`; a fit that was killed goes on from what lies here and
                ends in the same numbers as one that was never killed.
        """

    @property
    def peeks(self) -> bool:
        """Whether `fit` chooses anything by the judged fold's labels: its score is then slightly optimistic."""
        return False

    @property
    def judges(self) -> bool:
        """Whether `fit` chooses anything by the task's metric: under another metric it is fitted anew."""
        return self.peeks

    @property
    def chance(self) -> bool:
        """Whether the seed changes what is fitted; where not, another seed is the same fit and is not made."""
        return True

    def prepare(self, rows: Rows) -> None:
        """Computes what reads no labels for all rows of `rows.source`, once; nothing to do by default."""

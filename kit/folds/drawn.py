"""Random folds: plain, stratified, and stratified by several labels."""

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.folds.balance import balanced, iterative, strata_of
from kit.folds.base import Folds, per_row

BINS = "quantile bins of a continuous target; none: the target is a class"


class RandomFolds(Folds):
    """Random folds: every row is validated once. Rows that stay together count by their number."""

    version = 2  # 2: clusters of duplicates count by their rows

    n: int = Field(5, ge=2, le=1000, description="number of folds")
    seed: int = Field(0, ge=0, lt=2**32, description="another seed gives other folds")
    keep_duplicates_together: bool = Field(True, description="keep exact duplicates in one fold")

    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        y, together = per_row(y, frame, "labels"), self._together(frame, duplicates)
        if (found := len(np.unique(together))) < self.n:
            raise KitError(self._too_few(frame, found))
        return self._draw(together, y).astype(np.int16)

    def _too_few(self, frame: pd.DataFrame, clusters: int) -> str:
        needed = f"{self.n} folds need at least {self.n}"
        if clusters == len(frame):
            return f"{needed} rows; there are {clusters}"
        return (
            f"{needed} different rows; there are {clusters}: keep_duplicates_together=false splits equal rows as well"
        )

    def _together(self, frame: pd.DataFrame, duplicates: np.ndarray | None) -> np.ndarray:
        alone = duplicates is None or not self.keep_duplicates_together
        return np.arange(len(frame)) if alone else per_row(duplicates, frame, "duplicates")

    def _draw(self, together: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Folds (rows,) that leave clusters whole; there are at least n of them."""
        return balanced(together, np.zeros((len(y), 1), dtype=np.int64), self.n, self.seed)


class KFold(RandomFolds):
    """Folds of equal size; labels are not read (scikit-learn's KFold)."""


class Stratified(RandomFolds):
    """Every fold gets the same share of each class, or of each quantile of a continuous target.

    A class with fewer rows than folds is spread as far as it goes. Of several targets, each class or bin of each one is
    a label of its own, and the labels are spread as `Multilabel` does.
    """

    bins: int | None = Field(None, ge=2, description=BINS)

    def _draw(self, together: np.ndarray, y: np.ndarray) -> np.ndarray:
        strata = strata_of(y, self.n, self.bins)
        if strata.shape[1] == 1:
            return balanced(together, strata, self.n, self.seed)
        labels = np.hstack([column[:, None] == np.unique(column) for column in strata.T])
        return iterative(together, labels, self.n, self.seed)


class Multilabel(RandomFolds):
    """Every fold gets the same share of each label (Sechidis, Tsoumakas & Vlahavas 2011); a soft label
    is positive from 0.5.

    Where labels of a target are missing, each fold gets its share of them, and so of the known ones. A label with fewer
    positive rows than folds is absent from some folds. That is no error: see
    `metrics.undefined_columns`.
    """

    def _draw(self, together: np.ndarray, y: np.ndarray) -> np.ndarray:
        missing = np.isnan(y)
        strata_of(np.where(missing, y, 0), self.n, None)  # refuses gaps in the only target
        if ((y < 0) | (y > 1)).any():
            raise KitError("Multilabel folds need labels between 0 and 1; Stratified takes classes and numbers")
        yes = y >= 0.5
        labels = [yes, missing[:, missing.any(axis=0)]] if yes.shape[1] > 1 else [yes, ~yes]
        return iterative(together, np.hstack(labels), self.n, self.seed)

"""Random folds that leave groups whole."""

import numpy as np
import pandas as pd
from pydantic import Field

from kit.folds.balance import balanced, strata_of
from kit.folds.base import column_of
from kit.folds.drawn import BINS, RandomFolds


class Grouped(RandomFolds):
    """Rows of one group stay in one fold (scikit-learn's GroupKFold); groups that share duplicates count as one group.

    Folds have as equal numbers of rows as whole groups allow; the largest group is placed first, and the seed decides
    the order of groups of one size.
    """

    group: str = Field(description="column whose equal values stay together")

    def _too_few(self, frame: pd.DataFrame, clusters: int) -> str:
        merged = " once those that share duplicates are merged" if clusters < frame[self.group].nunique() else ""
        groups = "1 group" if clusters == 1 else f"{clusters} groups"
        return f"column '{self.group}' has {groups}{merged}, fewer than {self.n} folds"

    def _together(self, frame: pd.DataFrame, duplicates: np.ndarray | None) -> np.ndarray:
        from scipy.sparse import coo_array, csgraph

        codes = pd.factorize(column_of(frame, self.group))[0]
        twins = np.unique(super()._together(frame, duplicates), return_inverse=True)[1] + len(frame)
        links = coo_array((np.ones(len(frame)), (codes, twins)), shape=(2 * len(frame) + 1,) * 2)  # group to duplicates
        return pd.factorize(csgraph.connected_components(links, directed=False)[1][codes])[0]


class StratifiedGrouped(Grouped):
    """Grouped, and each fold gets about the same share of each class, or quantile, of each target."""

    bins: int | None = Field(None, ge=2, description=BINS)

    def _draw(self, together: np.ndarray, y: np.ndarray) -> np.ndarray:
        return balanced(together, strata_of(y, self.n, self.bins), self.n, self.seed)

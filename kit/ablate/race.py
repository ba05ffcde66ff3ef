"""Race: arms that cannot be hoped for any more stop early, so that the others get the time."""

import numpy as np
from pydantic import Field

from kit.gains import corrected_t
from kit.spec import Spec


class Race(Spec):
    """Racing of arms over blocks (one fold under one seed), as in F-Race (Birattari et al. 2002).

    After each block but the last an arm is dropped if, by a paired t-test with corrected variance, its gain over the
    base is below zero. An arm is looked at again and again, so the looks share the error that is allowed (Bonferroni):
    of arms that do nothing, no more than 1 - level are dropped at any of them. Arms that gain less than the best one go
    on: an ablation wants to know how much each of them gives.
    """

    level: float = Field(
        0.95, gt=0.5, lt=1, description="confidence, over all looks together, of the one-sided bound that drops an arm"
    )
    least: int = Field(3, ge=2, description="blocks that every arm is given")

    def hopeless(self, gains: dict[str, np.ndarray], ratio: float) -> list[str]:
        """Arms whose gain's upper bound lies below 0.

        Args:
            gains: arm → (folds, seeds) gains over the base in the blocks so far, NaN in the others.
            ratio: rows judged over rows trained on, of a fold.
        """
        return [
            name
            for name, found in gains.items()
            if (~np.isnan(found)).sum() >= self.least and corrected_t(found, ratio, self._level(found.size)).high < 0
        ]

    def _level(self, blocks: int) -> float:
        """Level of the two-sided interval whose upper end is the bound of one look, of all that there are."""
        looks = max(blocks - self.least, 1)
        return 1 - 2 * (1 - self.level) / looks

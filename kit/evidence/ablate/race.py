"""Race: arms that are clearly worse than the base stop early, so that the others get the time."""

import numpy as np
from pydantic import Field

from kit.core.spec import Spec
from kit.evidence.significance import corrected_t


class Race(Spec):
    """Racing of arms over blocks (one fold with one seed), as in F-Race (Birattari et al. 2002).

    After each block but the last, an arm stops if its gain over the base is below zero, by a paired t-test with
    corrected variance. An arm is tested after every block, so the tests share the allowed error (Bonferroni): of arms
    that change nothing, at most a share of 1 - level is stopped by any of the tests. An arm that gains less than the
    best one goes on, because an ablation measures the gain of each.
    """

    level: float = Field(
        0.95, gt=0.5, lt=1, description="confidence, over all tests together, of the one-sided bound that drops an arm"
    )
    least: int = Field(3, ge=2, description="blocks that every arm gets at least")

    def losers(self, gains: dict[str, np.ndarray], ratio: float) -> list[str]:
        """Arms whose gain's upper bound is below 0.

        Args:
            gains: arm → (folds, seeds) gains over the base in the blocks so far, NaN in the others.
            ratio: rows scored over rows trained on, of a fold.
        """
        return [
            name
            for name, found in gains.items()
            if (~np.isnan(found)).sum() >= self.least and corrected_t(found, ratio, self._level(found.size)).high < 0
        ]

    def _level(self, blocks: int) -> float:
        """Level of the two-sided interval whose upper end is the bound of one of all tests."""
        tests = max(blocks - self.least, 1)
        return 1 - 2 * (1 - self.level) / tests

"""Hill climbing over weights that may be negative, as Kaggle's solvers do it (the `hillclimbers` package, 2023)."""

import math
from typing import ClassVar

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.ensemble.blend import Blend
from kit.ensemble.fitted import WeightedMean
from kit.ensemble.oof import OutOfFold
from kit.ensemble.search import Scorer, near, scorer_for

FEW = 1000  # up to so many predictions the metric itself is called: a step scores a hundred blends for each member


class HillClimb(Blend):
    """Starts with the best member; each step adds the member, and the weight of a grid, that give the best score.

    A step turns the blend b into (1 - w) b + w p. A member that is worse than the blend but makes the same errors gets
    a negative w. Weights sum to 1. If the metric needs probabilities, blends are clipped to [0, 1] during the search,
    and the result to the range of the members: one wrong row at 0 would cost too much log loss. The search ends when no
    step improves the score by more than `tolerance`, or when all members are in. Of equal steps, that of the better
    member is taken, then that of the lower w.
    """

    compact: ClassVar[bool] = True

    lowest: float = Field(-0.5, ge=-1, lt=1, description="smallest weight that a step may give to its member")
    highest: float = Field(0.5, gt=0, lt=1, description="largest weight that a step may give to its member")
    grid: float = Field(0.05, gt=0, le=0.5, description="distance between the weights that are tried")
    tolerance: float = Field(0.0, ge=0, description="smallest gain of a step, in the metric")
    repeat: bool = Field(False, description="whether a member may be added more than once")
    rounds: int = Field(
        20, ge=1, description="largest number of steps; each tries all weights of all remaining members"
    )

    @validator(mode="after")
    def _some_weight(self) -> "HillClimb":
        if not len(self.steps()):
            raise KitError(
                f"HillClimb: 0 is the only weight between lowest = {self.lowest:g} and highest = {self.highest:g}; "
                "widen the range"
            )
        return self

    def steps(self) -> np.ndarray:
        """The weights that are tried: multiples of `grid`, rising, without 0."""
        first, last = math.ceil(self.lowest / self.grid - 1e-9), math.floor(self.highest / self.grid + 1e-9)
        return np.array([round(k * self.grid, 12) for k in range(first, last + 1) if k])

    def learn(self, oof: OutOfFold) -> WeightedMean:
        clip = oof.metric.needs == "probability"
        scorer = scorer_for(oof.metric, oof.y, oof.predictions, clip, small=FEW)
        shares = self._climb(scorer)
        limits: tuple[float, ...] = ()
        if clip and (shares < 0).any():  # no more confident than the members: one wrong row at 0 costs log loss 36
            ends = [(float(p.min()), float(p.max())) for p in oof.predictions]
            limits = min(low for low, _ in ends), max(high for _, high in ends)
        return WeightedMean(type(self).__name__, oof.names, tuple(map(float, shares)), limits=limits)

    def _climb(self, scorer: Scorer) -> np.ndarray:
        members = len(scorer.predictions)
        current = np.zeros(scorer.predictions.shape[1:])
        values = _values(scorer, current, np.zeros(members), list(range(members)), [1.0] * members)
        order = np.argsort(-values, kind="stable").tolist()  # the better member first, of equals the earlier
        top, pool = float(values[order[0]]), order[1:] if not self.repeat else order
        shares = np.eye(members)[order[0]]
        current += scorer.predictions[order[0]]
        for _ in range(self.rounds):
            if not pool:
                break
            steps = self.steps().tolist()
            candidates, adds = [i for i in pool for _ in steps], steps * len(pool)
            values = _values(scorer, current, shares, candidates, adds)
            best = int(values.argmax())
            if not values[best] - top > self.tolerance:
                break
            member, add, top = candidates[best], adds[best], float(values[best])
            current *= 1 - add
            current += np.multiply(scorer.predictions[member], add, dtype=np.float64)
            shares *= 1 - add
            shares[member] += add
            if not self.repeat:
                pool.remove(member)
        return shares / shares.sum()


def _values(
    scorer: Scorer, current: np.ndarray, shares: np.ndarray, members: list[int], adds: list[float]
) -> np.ndarray:
    """Values, greater is better, of `(1 - add) * current + add * member`; the best of them by the metric itself."""
    scores = scorer.scores(current, members, math.nan, adds, shares)
    if np.isnan(scores).any():
        name = scorer.metric.name
        raise KitError(f"HillClimb: {name} is undefined on these rows, for example because all labels are equal")
    values = np.array([scorer.value(score) for score in scores.tolist()])
    close = [t for t, value in enumerate(values) if near(value, values.max())]
    if not scorer.exact:
        for t in close:
            values[t] = scorer.value(scorer.plain(current, members[t], 1 - adds[t], adds[t]))
    return values

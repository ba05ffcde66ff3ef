"""Hill climbing over weights that may be negative, as Kaggle's solvers do it (the `hillclimbers` package, 2023)."""

import math
from typing import ClassVar

import numpy as np
from pydantic import Field

from kit.ensemble.base import Blend, Judged, Weighted
from kit.ensemble.search import Scorer, near, scorer_for
from kit.spec import KitError, validator

FEW = 1000  # predictions, up to which the metric itself is asked: a step judges a hundred blends a member


class HillClimb(Blend):
    """Begins with the best member; each step mixes in one more, at the weight of a grid at which the blend is best.

    A step turns the blend b into (1 - w) b + w p. A member that is worse than the blend and errs as it does is taken
    off by a negative w. Weights sum to 1; where the metric needs probabilities, blends are cut to [0, 1] while they are
    sought, and the found one to what the members span, for a wrong row at 0 would cost log loss too much. The climb
    ends when no step gains more than `tolerance`, or all members are in. Of equal steps that of the better member,
    then of the lower w, is taken.
    """

    compact: ClassVar[bool] = True

    lowest: float = Field(-0.5, ge=-1, lt=1, description="smallest weight that a step may give to its member")
    highest: float = Field(0.5, gt=0, lt=1, description="largest weight that a step may give to its member")
    grid: float = Field(0.05, gt=0, le=0.5, description="distance between the weights that are tried")
    tolerance: float = Field(0.0, ge=0, description="gain, in the metric, that a step must exceed")
    again: bool = Field(False, description="a member may be mixed in more than once")
    rounds: int = Field(20, ge=1, description="most steps taken; each judges all the weights of all members left")

    @validator(mode="after")
    def _some_weight(self) -> "HillClimb":
        if not len(self.steps()):
            raise KitError(f"HillClimb: no weight but 0 lies between {self.lowest:g} and {self.highest:g}")
        return self

    def steps(self) -> np.ndarray:
        """The weights that are tried: multiples of `grid`, rising, without 0."""
        first, last = math.ceil(self.lowest / self.grid - 1e-9), math.floor(self.highest / self.grid + 1e-9)
        return np.array([round(k * self.grid, 12) for k in range(first, last + 1) if k])

    def learn(self, judged: Judged) -> Weighted:
        clip = judged.metric.needs == "probability"
        scorer = scorer_for(judged.metric, judged.y, judged.predictions, clip, small=FEW)
        shares = self._climb(scorer)
        limits: tuple[float, ...] = ()
        if clip and (shares < 0).any():  # no surer than the surest member: one wrong row at 0 costs log loss 36
            ends = [(float(p.min()), float(p.max())) for p in judged.predictions]
            limits = min(low for low, _ in ends), max(high for _, high in ends)
        return Weighted(type(self).__name__, judged.names, tuple(map(float, shares)), limits=limits)

    def _climb(self, scorer: Scorer) -> np.ndarray:
        members = len(scorer.predictions)
        current = np.zeros(scorer.predictions.shape[1:])
        values = _values(scorer, current, np.zeros(members), list(range(members)), [1.0] * members)
        order = np.argsort(-values, kind="stable").tolist()  # the better member first, of equals the earlier
        top, pool = float(values[order[0]]), order[1:] if not self.again else order
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
            if not self.again:
                pool.remove(member)
        return shares / shares.sum()


def _values(
    scorer: Scorer, current: np.ndarray, shares: np.ndarray, members: list[int], adds: list[float]
) -> np.ndarray:
    """Values, greater is better, of `(1 - add) * current + add * member`; the best of them by the metric itself."""
    scores = scorer.scores(current, members, math.nan, adds, shares)
    if np.isnan(scores).any():
        name = scorer.metric.name
        raise KitError(f"HillClimb: {name} cannot judge these rows, such as where all labels are equal")
    values = np.array([scorer.value(score) for score in scores.tolist()])
    close = [t for t, value in enumerate(values) if near(value, values.max())]
    if not scorer.exact:
        for t in close:
            values[t] = scorer.value(scorer.plain(current, members[t], 1 - adds[t], adds[t]))
    return values

"""Weights on the simplex: positive or 0, of sum 1, anywhere in between; sought by scipy's optimisers."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.optimize import minimize

from kit.ensemble.base import WeightedBlend, weighted
from kit.ensemble.greedy import Greedy
from kit.ensemble.search import Scorer, scorer_for
from kit.ensemble.smooth import exact, near, on_simplex, solve
from kit.metrics import Metric
from kit.spec import KitError

FEW = 20_000  # predictions, up to which the metric itself is asked


class Simplex(WeightedBlend):
    """The weights that score best (a stack with positive weights of sum 1: Breiman, "Stacked regressions", 1996).

    Log loss and RMSE are convex in the weights, so their best is found by descent along the gradient. Other metrics
    have no gradient, and small steps may change nothing: from several far starts (equal weights, the best member,
    Greedy's weights, the best of smooth objectives that are alike) the best few are improved by the simplex search of
    Nelder & Mead (1965), whose first steps go half the way to each member. What the metric itself likes best is taken.
    """

    compact: ClassVar[bool] = True

    starts: int = Field(2, ge=1, description="starts that are improved, for metrics without a gradient")
    evaluations: int = Field(60, ge=1, description="times that the metric is asked to improve one start, at most")

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        members = len(predictions)
        scorer = scorer_for(metric, y, predictions, small=FEW)
        judge = _judge(scorer)
        corners, equal = np.eye(members), np.full(members, 1 / members)
        singles = [judge(corner) for corner in corners]
        if np.isnan(singles).any():
            raise KitError(f"Simplex: {metric.name} cannot judge these rows, such as where all labels are equal")
        tried = [equal, corners[int(np.argmin(singles))]]
        if (objective := exact(metric, y, predictions)) is not None:
            return _best([solve(objective, members), *tried], judge)
        tried.append(Greedy().weigh(predictions, y, metric))
        tried += [solve(objective, members) for objective in near(metric, y, predictions)]
        tried = list({tuple(weights.round(9)): weights for weights in tried}.values())
        firsts = sorted(tried, key=judge)[: self.starts]
        return _best([*tried, *(self._improved(first, judge) for first in firsts)], judge)

    def _improved(self, first: np.ndarray, judge: "Judge") -> np.ndarray:
        """What Nelder and Mead's search finds around `first`."""
        members = len(first)
        found = minimize(
            lambda weights: judge(on_simplex(weights)),
            first,
            method="Nelder-Mead",
            options={
                "initial_simplex": np.vstack([first, (first + np.eye(members)) / 2]),
                "adaptive": True,
                "maxfev": self.evaluations + members,
                "xatol": 1e-3,
                "fatol": 1e-7,
            },
        )
        return on_simplex(found.x)


Judge = Callable[[np.ndarray], float]  # weights (members,) → score, smaller is better


def _judge(scorer: Scorer) -> Judge:
    """The scorer's own view of a blend; it is quicker than the metric."""

    def judge(weights: np.ndarray) -> float:
        blend = scorer.prepare(weighted(scorer.predictions, weights))
        return -scorer.value(scorer.score(blend, 0, 1.0, 0.0))

    return judge


def _best(tried: list[np.ndarray], judge: Judge) -> np.ndarray:
    return min(tried, key=judge)  # the first of equals

"""Simplex: weights that are not negative and sum to 1, found by scipy's optimisers."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.optimize import minimize

from kit.core.errors import KitError
from kit.ensemble.blend import WeightedBlend
from kit.ensemble.blends.greedy import Greedy
from kit.ensemble.blends.smooth import best_weights, on_simplex, smooth_metric, surrogates
from kit.ensemble.predictions import weighted_mean
from kit.ensemble.search import Scorer, scorer_for
from kit.metrics import Metric

FEW = 20_000  # up to so many predictions the metric itself is called


class Simplex(WeightedBlend):
    """The weights that score best (a stack with positive weights of sum 1: Breiman, "Stacked regressions", 1996).

    Log loss and RMSE are convex in the weights, so gradient descent finds their optimum. Other metrics have no
    gradient, and small steps may change nothing. So there are several different starting points (equal weights, the
    best member, Greedy's weights, the optimum of similar smooth losses). The best few of them are improved by the
    simplex search of Nelder & Mead (1965), whose first steps go half the way to each member. The weights with the best
    score are taken.
    """

    compact: ClassVar[bool] = True

    starts: int = Field(2, ge=1, description="starting points that are improved, for metrics without a gradient")
    evaluations: int = Field(60, ge=1, description="largest number of metric calls for each start")

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        members = len(predictions)
        scorer = scorer_for(metric, y, predictions, small=FEW)
        loss = _objective(scorer)
        corners, equal = np.eye(members), np.full(members, 1 / members)
        singles = [loss(corner) for corner in corners]
        if np.isnan(singles).any():
            raise KitError(
                f"Simplex: {metric.name} is undefined on these rows, for example because all labels are equal"
            )
        tried = [equal, corners[int(np.argmin(singles))]]
        if (objective := smooth_metric(metric, y, predictions)) is not None:
            return _best([best_weights(objective, members), *tried], loss)
        tried.append(Greedy().weigh(predictions, y, metric))
        tried += [best_weights(objective, members) for objective in surrogates(metric, y, predictions)]
        tried = list({tuple(weights.round(9)): weights for weights in tried}.values())
        firsts = sorted(tried, key=loss)[: self.starts]
        return _best([*tried, *(self._improved(first, loss) for first in firsts)], loss)

    def _improved(self, first: np.ndarray, loss: "BlendLoss") -> np.ndarray:
        """What Nelder and Mead's search finds around `first`."""
        members = len(first)
        found = minimize(
            lambda weights: loss(on_simplex(weights)),
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


BlendLoss = Callable[[np.ndarray], float]  # weights (members,) → score, smaller is better


def _objective(scorer: Scorer) -> BlendLoss:
    """The score of a blend by the scorer, which is quicker than the metric."""

    def loss(weights: np.ndarray) -> float:
        blend = scorer.prepare(weighted_mean(scorer.predictions, weights))
        return -scorer.value(scorer.score(blend, 0, 1.0, 0.0))

    return loss


def _best(tried: list[np.ndarray], loss: BlendLoss) -> np.ndarray:
    return min(tried, key=loss)  # the first of equals

"""Greedy forward selection with replacement (Caruana et al., "Ensemble Selection from Libraries of Models", 2004)."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from pydantic import Field

from kit.ensemble.base import WeightedBlend, weighted
from kit.metrics import Metric
from kit.spec import KitError

Counts = tuple[int, ...]  # how often each member was chosen


class Greedy(WeightedBlend):
    """Adds, again and again, the member that helps most; a member may be added many times, which is its weight.

    Of all the blends on the way the best is kept, the earliest of equals. Among equally helpful members one that is
    already in wins, then the earlier one. On the fitted rows the result is never worse than the best single member
    (with `bags` of 1), which is why its honest score is the nested one.
    """

    start: int = Field(1, ge=1, description="begin with this many of the best members (sorted initialisation)")
    rounds: int = Field(20, ge=1, description="additions tried after the start")
    bags: int = Field(1, ge=1, description="selections averaged, each among a random part of the members; 1: all")
    fraction: float = Field(0.5, gt=0, le=1, description="part of the members one bag chooses from, if bags > 1")
    seed: int = Field(0, ge=0, description="seeds the choice of the bags' members")

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        members = len(predictions)
        sign = 1 if metric.greater_is_better else -1

        @cache
        def judged(counts: Counts) -> float:
            score = metric(y, weighted(predictions, np.array(counts) / sum(counts)))
            if math.isnan(score):
                raise KitError(f"Greedy: {metric.name} cannot judge these rows, such as where all labels are equal")
            return sign * float(f"{score:.12g}")  # rounding noise must not decide between equal blends

        def value(counts: np.ndarray) -> float:
            """The score of these counts, greater is better; 2 + 2 is the same blend as 1 + 1."""
            return judged(tuple((counts // math.gcd(*counts)).tolist()))

        if self.bags == 1:
            return self._select(np.arange(members), members, value)
        rng = np.random.default_rng(self.seed)
        size = max(1, round(self.fraction * members))
        parts = [np.sort(rng.choice(members, size, replace=False)) for _ in range(self.bags)]
        return np.asarray(np.mean([self._select(part, members, value) for part in parts], axis=0))

    def _select(self, part: np.ndarray, members: int, value: Callable[[np.ndarray], float]) -> np.ndarray:
        """Weights (members,) after one selection among the members of `part`."""
        one = np.eye(members, dtype=int)
        first = sorted(part, key=lambda i: -value(one[i]))[: self.start]  # a stable sort: the earlier of equals first
        counts, path = one[first[0]], [one[first[0]]]
        for step in range(1, len(first) + self.rounds):
            candidates = sorted(part, key=lambda i: (counts[i] == 0, i)) if step >= len(first) else [first[step]]
            counts = counts + one[max(candidates, key=lambda i: value(counts + one[i]))]  # max: the first of equals
            path.append(counts)
        best = max(path, key=value)
        return np.asarray(best / best.sum())

"""Greedy forward selection with replacement (Caruana et al., "Ensemble Selection from Libraries of Models", 2004)."""

import math
from collections import Counter
from typing import ClassVar

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.ensemble.blend import WeightedBlend
from kit.ensemble.predictions import weighted_mean
from kit.ensemble.search import Scorer, near, scorer_for
from kit.metrics import Metric

Additions = tuple[int, ...]  # members in the order in which they were chosen
Counts = frozenset[tuple[int, int]]  # (member, times chosen) in lowest terms: 2 + 2 is the same blend as 1 + 1


class Greedy(WeightedBlend):
    """In each round adds the member that improves the score most. A member's weight is how often it was added.

    The best of all blends on the way is kept; of equal ones the earliest. Of equally helpful members, one that is
    already in the blend is taken, then the earlier one. On the fitted rows the result is never worse than the best
    single member (with `bags` of 1), so only its nested score is honest.
    """

    compact: ClassVar[bool] = True

    start: int = Field(1, ge=1, description="start with this many of the best members (sorted initialisation)")
    rounds: int = Field(20, ge=1, description="largest number of additions after the start")
    patience: int = Field(0, ge=0, description="stop after this many additions without a better score; 0: all rounds")
    bags: int = Field(1, ge=1, description="bagging: selections that are averaged, each among random members; 1: off")
    fraction: float = Field(0.5, gt=0, le=1, description="share of the members in each bag, if bags > 1")
    seed: int = Field(0, ge=0, description="seed of the bags")

    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        members = len(predictions)
        evaluator = _Evaluator(scorer_for(metric, y, predictions))
        if self.bags == 1:
            return self._select(list(range(members)), evaluator)
        rng = np.random.default_rng(self.seed)
        size = max(1, round(self.fraction * members))
        parts = [np.sort(rng.choice(members, size, replace=False)).tolist() for _ in range(self.bags)]
        return np.asarray(np.mean([self._select(part, evaluator) for part in parts], axis=0))

    def _select(self, part: list[int], evaluator: "_Evaluator") -> np.ndarray:
        """Weights (members,) after one selection among the members of `part`."""
        total = np.zeros(evaluator.scorer.predictions.shape[1:])
        singles = evaluator.values(total, (), part)
        first = [part[i] for i in np.argsort(-singles, kind="stable")[: self.start]]  # the earlier of equals first
        chosen: Additions = (first[0],)
        best, top, waited = chosen, float(singles.max()), 0
        for step in range(1, len(first) + self.rounds):
            total += evaluator.scorer.predictions[chosen[-1]]
            candidates = sorted(part, key=lambda i: (i not in chosen, i)) if step >= len(first) else [first[step]]
            found = evaluator.values(total, chosen, candidates)
            chosen, value = (*chosen, candidates[found.argmax()]), float(found.max())  # argmax: the first of equals
            if near(value, top):
                value, top = evaluator.exact(chosen), evaluator.exact(best)
            if value > top:
                best, top, waited = chosen, value, 0
            elif step >= len(first):
                waited += 1
            if self.patience and waited >= self.patience:
                break
        return evaluator.shares(best, first[0])


class _Evaluator:
    """Values of blends, greater is better: by the scorer and, where they are close, by the metric itself."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.found: dict[Counts, float] = {}
        self.checked: set[Counts] = set()  # blends whose value is the metric's own

    def values(self, total: np.ndarray, chosen: Additions, candidates: list[int]) -> np.ndarray:
        """Values (candidates,) of the chosen members, whose sum is `total`, with each candidate added."""
        keys = _with_each(chosen, candidates)
        new = [(key, i) for key, i in zip(keys, candidates, strict=True) if key not in self.found]
        part = 1 / (len(chosen) + 1)
        parts = np.bincount(np.array(chosen, dtype=int), minlength=len(self.scorer.predictions))
        scores = self.scorer.scores(total, [i for _, i in new], part, [part] * len(new), parts)
        for (key, _), score in zip(new, scores.tolist(), strict=True):
            self._learn(key, score, self.scorer.exact)
        top = max(self.found[key] for key in keys)
        close = [(key, i) for key, i in zip(keys, candidates, strict=True) if near(self.found[key], top)]
        for key, i in close if len(close) > 1 else []:
            if key not in self.checked:
                self._learn(key, self.scorer.plain(total, i, part, part), True)
        return np.array([self.found[key] for key in keys])

    def exact(self, chosen: Additions) -> float:
        """The value of these members by the metric itself."""
        (key,) = _with_each(chosen[:-1], [chosen[-1]])
        if key not in self.checked:
            total, part = np.zeros(self.scorer.predictions.shape[1:]), 1 / len(chosen)
            for member in chosen[:-1]:
                total += self.scorer.predictions[member]
            self._learn(key, self.scorer.plain(total, chosen[-1], part, part), True)
        return self.found[key]

    def shares(self, chosen: Additions, single: int) -> np.ndarray:
        """Weights (members,) of the chosen members; or of the best single member, if it is better after rounding.

        `weighted_mean` adds in another order than the search, which can split a tie or change the side of a threshold.
        """
        scorer, members = self.scorer, len(self.scorer.predictions)
        shares, alone = (np.bincount(np.array(bag), minlength=members) / len(bag) for bag in (chosen, [single]))
        blend, best = (
            scorer.value(scorer.metric(scorer.y, weighted_mean(scorer.predictions, w))) for w in (shares, alone)
        )
        return shares if blend >= best else alone

    def _learn(self, key: Counts, score: float, checked: bool) -> None:
        if math.isnan(score):
            name = self.scorer.metric.name
            raise KitError(f"Greedy: {name} is undefined on these rows, for example because all labels are equal")
        self.found[key] = self.scorer.value(score)
        if checked:
            self.checked.add(key)


def _with_each(chosen: Additions, candidates: list[int]) -> list[Counts]:
    """How often each member occurs in the chosen ones with each candidate added."""
    counts, keys = Counter(chosen), []
    for member in candidates:
        grown = dict(counts) | {member: counts[member] + 1}
        divisor = math.gcd(*grown.values())
        keys.append(frozenset((i, times // divisor) for i, times in grown.items()))
    return keys

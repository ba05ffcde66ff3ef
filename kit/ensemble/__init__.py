"""Blends of members' out-of-fold predictions, and the score they really deserve."""

from kit.ensemble.base import Blend, Blended, Judged, Weighted, WeightedBlend, scaled_ranks
from kit.ensemble.greedy import Greedy
from kit.ensemble.mean import Mean
from kit.ensemble.nested import NestedScore, nested
from kit.ensemble.rank import RankMean
from kit.ensemble.threshold import best_threshold, fit_thresholded

__all__ = [
    "Blend",
    "Blended",
    "Greedy",
    "Judged",
    "Mean",
    "NestedScore",
    "RankMean",
    "Weighted",
    "WeightedBlend",
    "best_threshold",
    "fit_thresholded",
    "nested",
    "scaled_ranks",
]

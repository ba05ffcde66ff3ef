"""Blends of members' out-of-fold predictions, and the score they really deserve."""

from kit.ensemble.auto import Auto, Chosen, Trial
from kit.ensemble.base import Blend, Blended, Judged, Weighted, WeightedBlend, scaled_ranks
from kit.ensemble.calibrated import Calibrated
from kit.ensemble.calibration import (
    Beta,
    Calibration,
    Isotonic,
    Platt,
    Temperature,
    Vector,
    calibration_error,
    reliability,
)
from kit.ensemble.diversity import Diversity, diversity, left_out
from kit.ensemble.geometric import Geometric
from kit.ensemble.greedy import Greedy
from kit.ensemble.hill import HillClimb
from kit.ensemble.layers import Layers
from kit.ensemble.mean import Mean
from kit.ensemble.nested import NestedScore, nested
from kit.ensemble.per_column import PerColumn
from kit.ensemble.power import Power
from kit.ensemble.prior import PriorShift
from kit.ensemble.rank import RankMean
from kit.ensemble.simplex import Simplex
from kit.ensemble.stack import Stack
from kit.ensemble.stack_models import LeastSquares, Logistic, Ridge, SecondLevel, Trees
from kit.ensemble.threshold import best_threshold, fit_thresholded

__all__ = [
    "Auto",
    "Beta",
    "Blend",
    "Blended",
    "Calibrated",
    "Calibration",
    "Chosen",
    "Diversity",
    "Geometric",
    "Greedy",
    "HillClimb",
    "Isotonic",
    "Judged",
    "Layers",
    "LeastSquares",
    "Logistic",
    "Mean",
    "NestedScore",
    "PerColumn",
    "Platt",
    "Power",
    "PriorShift",
    "RankMean",
    "Ridge",
    "SecondLevel",
    "Simplex",
    "Stack",
    "Temperature",
    "Trees",
    "Trial",
    "Vector",
    "Weighted",
    "WeightedBlend",
    "best_threshold",
    "calibration_error",
    "diversity",
    "fit_thresholded",
    "left_out",
    "nested",
    "reliability",
    "scaled_ranks",
]

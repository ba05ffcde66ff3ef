"""Blends of members' out-of-fold predictions, and their honest (nested) scores."""

from kit.ensemble.auto import Auto
from kit.ensemble.blend import Blend, WeightedBlend
from kit.ensemble.blends.geometric import Geometric
from kit.ensemble.blends.greedy import Greedy
from kit.ensemble.blends.hill import HillClimb
from kit.ensemble.blends.mean import Mean
from kit.ensemble.blends.per_column import PerColumn
from kit.ensemble.blends.power import Power
from kit.ensemble.blends.rank import RankMean
from kit.ensemble.blends.simplex import Simplex
from kit.ensemble.calibrate.calibrated import Calibrated
from kit.ensemble.calibrate.calibration import (
    BetaCalibration,
    Calibration,
    Clip,
    Isotonic,
    PlattScaling,
    TemperatureScaling,
    VectorScaling,
    calibration_error,
    reliability,
)
from kit.ensemble.calibrate.prior import PriorShift
from kit.ensemble.decide.threshold import best_threshold
from kit.ensemble.diversity import Diversity, diversity
from kit.ensemble.fitted import FittedBlend, WeightedMean
from kit.ensemble.fitted_auto import FittedAuto, TriedBlend
from kit.ensemble.left_out import left_out
from kit.ensemble.nested import NestedScore, nested
from kit.ensemble.oof import OutOfFold
from kit.ensemble.predictions import scaled_ranks
from kit.ensemble.stack.models import LeastSquares, Logistic, Ridge, SecondLevel, Trees
from kit.ensemble.stack.multilayer import MultiLayerStack
from kit.ensemble.stack.stack import Stack
from kit.ensemble.thresholded import fit_thresholded
from kit.ensemble.wrapper import BlendWrapper, Composite

__all__ = [
    "Auto",
    "BetaCalibration",
    "Blend",
    "BlendWrapper",
    "Calibrated",
    "Calibration",
    "Clip",
    "Composite",
    "Diversity",
    "FittedAuto",
    "FittedBlend",
    "Geometric",
    "Greedy",
    "HillClimb",
    "Isotonic",
    "LeastSquares",
    "Logistic",
    "Mean",
    "MultiLayerStack",
    "NestedScore",
    "OutOfFold",
    "PerColumn",
    "PlattScaling",
    "Power",
    "PriorShift",
    "RankMean",
    "Ridge",
    "SecondLevel",
    "Simplex",
    "Stack",
    "TemperatureScaling",
    "Trees",
    "TriedBlend",
    "VectorScaling",
    "WeightedBlend",
    "WeightedMean",
    "best_threshold",
    "calibration_error",
    "diversity",
    "fit_thresholded",
    "left_out",
    "nested",
    "reliability",
    "scaled_ranks",
]

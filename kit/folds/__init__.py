"""Folds: a plan gives each row the number of the fold that it is validated in."""

from kit.folds.base import Folds, fold_numbers, plan_digest
from kit.folds.drawn import KFold, Multilabel, RandomFolds, Stratified
from kit.folds.grouped import Grouped, StratifiedGrouped
from kit.folds.predefined import Predefined
from kit.folds.times import TimeSeries

__all__ = [
    "Folds", "Grouped", "KFold", "Multilabel", "Predefined", "RandomFolds", "Stratified", "StratifiedGrouped",
    "TimeSeries", "fold_numbers", "plan_digest",
]  # fmt: skip

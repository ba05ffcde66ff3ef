"""Losses with their settings: `Focal(gamma=2)(logits, y)` gives the loss of each row.

Torch is imported only when a loss is computed, so a recipe can name a loss and still start fast.
"""

from kit.losses.base import Loss, weighted_mean
from kit.losses.batchwise import SoftAUC, SoftF1
from kit.losses.bitempered import BiTempered
from kit.losses.cross_entropy import BCE, CrossEntropy
from kit.losses.defaults import default
from kit.losses.flooding import Flooding
from kit.losses.focal import Asymmetric, Focal
from kit.losses.ordinal import Ordinal
from kit.losses.regression import Huber, Quantile, Squared

__all__ = [
    "BCE",
    "Asymmetric",
    "BiTempered",
    "CrossEntropy",
    "Flooding",
    "Focal",
    "Huber",
    "Loss",
    "Ordinal",
    "Quantile",
    "SoftAUC",
    "SoftF1",
    "Squared",
    "default",
    "weighted_mean",
]

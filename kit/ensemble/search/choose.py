"""Which scorer judges by a metric."""

import sys
from importlib import import_module

import numpy as np

from kit.ensemble.search.base import Plain, Scorer
from kit.metrics import Metric, accuracy, f1, log_loss, mean_roc_auc, quadratic_kappa, rmse, roc_auc

# the modules load numba, so they are imported where they are used
QUICK = {
    roc_auc.fn: "auc.Auc",
    mean_roc_auc.fn: "auc.Auc",
    log_loss.fn: "log_loss.LogLoss",
    rmse.fn: "squares.Squares",
    f1.fn: "counted.Counted",
    accuracy.fn: "counted.Counted",
    quadratic_kappa.fn: "kappa.Kappa",
}
SMALL = 100_000  # predictions in all, up to which asking the metric itself is as quick as loading the kernels
LOADED = 2_000  # the same where they are loaded already
LARGEST = 1e100  # beyond it sums and squares of predictions may overflow


def scorer_for(
    metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False, small: int = SMALL
) -> Scorer:
    """The quickest scorer for this metric and these rows; every other choice would come to the same scores.

    Args:
        metric: what is judged by.
        y: (n, targets) labels.
        predictions: (members, n, outputs), finite.
        clip: candidates are cut to [0, 1] before they are judged.
        small: up to this many predictions the metric itself is asked; SMALL: up to LOADED where the kernels are loaded.

    Raises:
        KitError: the metric refuses these labels or predictions.
    """
    # whatever the metric refuses, it says so itself; cutting must not hide that a member gives no probabilities
    for member in predictions if clip else predictions[:1]:
        metric(y, member)
    module, _, name = QUICK.get(metric.fn, "").partition(".")
    home = f"kit.ensemble.search.{module}"
    least = LOADED if small == SMALL and home in sys.modules else small
    cut = clip and metric.fn is not log_loss.fn  # a metric of the user's may want probabilities of a function of kit's
    if predictions.size <= least or not module or cut or not _usual(metric, predictions):
        return Plain(metric, y, predictions, clip)
    return getattr(import_module(home), name)(metric, y, predictions, clip)


def _usual(metric: Metric, predictions: np.ndarray) -> bool:
    """Whether no prediction is of a size that the kernels do not bear, or the metric refuses."""
    low = min(float(member.min()) for member in predictions)
    high = max(float(member.max()) for member in predictions)
    largest = max(-low, high)
    if metric.fn is quadratic_kappa.fn:
        return len(predictions[0]) * (2 * largest + 1) ** 2 < 2**50  # sums of whole numbers stay exact
    if metric.fn is log_loss.fn:
        return low >= -1e-6 and high <= 1 + 1e-6 and predictions.shape[2] <= 1000
    return largest < LARGEST

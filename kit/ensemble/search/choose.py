"""Chooses the scorer for a metric."""

import sys
from importlib import import_module

import numpy as np

from kit.ensemble.search.base import Plain, Scorer
from kit.ensemble.search.known import KnownRows
from kit.metrics import Metric
from kit.metrics.gaps import has_gaps
from kit.metrics.sums import check_sums, decides_by_column, part_stats

# these modules load numba, so they are imported only when they are used
FAMILIES = {"auc": "auc.Auc", "log_loss": "log_loss.LogLoss", "rmse": "squares.Squares", "kappa": "kappa.Kappa"}
CLIPS = ("log_loss.LogLoss", "summed.Summed")  # scorers that can clip candidates to [0, 1]
SMALL = 100_000  # up to this number of predictions, the metric itself is as fast as loading the kernels
LOADED = 2_000  # the same if the kernels are loaded already
MOST_CLASSES = 100  # limit of `DecidedClasses`, which keeps row statistics of all pairs of classes
LARGEST = 1e100  # above this value, sums and squares of predictions may overflow


def scorer_for(
    metric: Metric, y: np.ndarray, predictions: np.ndarray, clip: bool = False, small: int = SMALL
) -> Scorer:
    """The fastest scorer for this metric and these rows. All scorers give the same scores.

    Args:
        metric: the metric that scores candidates.
        y: (n, targets) labels; NaN where one of several is missing.
        predictions: (members, n, outputs), finite.
        clip: whether candidates are clipped to [0, 1] before they are scored.
        small: up to this number of predictions, the metric itself is used (if kernels are loaded, SMALL means LOADED).

    Raises:
        KitError: the metric cannot score these labels or predictions.
    """
    # let the metric check its input; clipping must not hide a member whose predictions are no probabilities
    for member in predictions if clip else predictions[:1]:
        metric(y, member)
    if has_gaps(np.asarray(y)) and not metric.gaps:
        parts = []
        for j, (of_target, (rows, labels, _)) in enumerate(metric.of_targets(y, predictions[0])):
            known = np.asarray(predictions[:, rows, j : j + 1])
            parts.append((rows, scorer_for(of_target, labels[:, None], known, clip, small)))
        return KnownRows(metric, y, predictions, clip, parts)
    kernel = _kernel(metric, y, predictions)
    module, _, name = kernel.partition(".")
    home = f"kit.ensemble.search.{module}"
    least = LOADED if small == SMALL and home in sys.modules else small
    if predictions.size <= least or not module or (clip and kernel not in CLIPS) or not _usual(metric, predictions):
        return Plain(metric, y, predictions, clip)
    scorer: Scorer = getattr(import_module(home), name)(metric, y, predictions, clip)
    if metric.fn is not None and metric.family is None:
        alone = np.zeros(predictions.shape[1:]), 0, 0.0, 1.0  # only the first member
        check_sums(metric, scorer.plain(*alone), scorer.scores(alone[0], [0], 0.0, [1.0])[0])
    return scorer


def _kernel(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> str:
    """Module and class of the scorer; empty if only the metric itself can score."""
    if metric.family is not None:
        return FAMILIES[metric.family]
    labels = np.reshape(y, (len(y), -1))
    if part_stats(metric.take(slice(1)), labels[:1], np.asarray(predictions[0][:1], dtype=np.float64)) is None:
        return ""
    if decides_by_column(metric, labels, predictions[0]):
        return "decided.Decided"
    if metric.needs == "label" and not metric.columns and labels.shape[1] == 1 < predictions.shape[2] <= MOST_CLASSES:
        return "decided.DecidedClasses"
    return "summed.Summed"


def _usual(metric: Metric, predictions: np.ndarray) -> bool:
    """Whether all predictions have a size that the kernels and the metric can handle."""
    low = min(float(member.min()) for member in predictions)
    high = max(float(member.max()) for member in predictions)
    largest = max(-low, high)
    if metric.family == "kappa":
        return len(predictions[0]) * (2 * largest + 1) ** 2 < 2**50  # so sums of whole numbers stay exact
    if metric.family == "log_loss":
        return low >= -1e-6 and high <= 1 + 1e-6 and predictions.shape[2] <= 1000
    return largest < LARGEST

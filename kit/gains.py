"""Scores of the same folds and seeds: the test of their differences, and what several seeds come to together."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from kit.ensemble.threshold import decide, judge, unseen_thresholds
from kit.intervals import Difference
from kit.metrics import Metric, mean_roc_auc
from kit.run import Run

# values that are means over columns: of several predictions side by side they are the mean of the single values
COLUMNWISE = {"mean_roc_auc", "rmse", "mae", "log_loss", "f1", "mcc", "accuracy"}


def corrected_t(gains: np.ndarray, ratio: float, level: float = 0.95) -> Difference:
    """Corrected resampled t-test (Nadeau & Bengio 2003) of a mean gain over folds and seeds.

    Fits of cross-validation share most of their train rows, so the variance of a mean of J gains is not σ²/J but about
    (1/J + ratio) σ². Gains of one fold under several seeds share their judged rows as well: J is divided by the design
    effect of such clusters (Kish 1965), 1 + (seeds - 1) · their correlation, by a one-way analysis of variance. So a
    member in which the seed changes nothing counts each fold once, however many seeds there are.

    Args:
        gains: (folds, seeds) or (folds,), NaN where nothing was fitted or judged.
        ratio: rows judged over rows trained on, of a fold.
        level: of the interval.

    Returns:
        The mean gain, its interval and the two-sided p of no gain; infinite and 1 where there are fewer than 2 folds.
    """
    from scipy.stats import t

    gains = np.asarray(gains, dtype=np.float64).reshape(len(gains), -1)
    gains = gains[~np.isnan(gains).all(axis=1)]
    counts = (~np.isnan(gains)).sum(axis=1)
    total, mean = counts.sum(), float(np.nanmean(gains)) if len(gains) else float("nan")
    if len(gains) < 2:
        return Difference(mean, -np.inf, np.inf, 1.0)
    means = np.nanmean(gains, axis=1)
    inside = float(np.nansum((gains - means[:, None]) ** 2) / (total - len(gains))) if total > len(gains) else 0.0
    between = float((counts * (means - mean) ** 2).sum() / (len(gains) - 1))
    size = (total - (counts**2).sum() / total) / (len(gains) - 1)  # seeds a fold
    shared = max(0.0, (between - inside) / size)
    variance = shared + inside if shared or total == len(gains) else float(np.nanvar(gains, ddof=1))
    effect = 1 + ((counts**2).sum() / total - 1) * (shared / variance if variance else 0.0)
    independent = total / effect
    error = np.sqrt((1 / independent + ratio) * variance)
    if error == 0:
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    half = float(t.ppf(0.5 + level / 2, independent - 1) * error)
    return Difference(mean, mean - half, mean + half, float(2 * t.sf(abs(mean) / error, independent - 1)))


def judged(run: Run, predictions: np.ndarray, folds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores (folds,) of out-of-fold predictions (n, outputs), and the predictions, cut where the metric cuts.

    A metric with a threshold is taken at the one that is best on the other folds, as in the leaderboard.
    """
    metric, rows = run.table.task.metric, np.isin(run.plan, folds)
    y, plan, said = run.table.y, run.plan, predictions.astype(np.float64)
    cuts = unseen_thresholds(metric, y[rows], predictions[rows], plan[rows])
    for fold in folds:
        said[plan == fold] = decide(said[plan == fold], cuts[fold])
    scores = [judge(metric, y[plan == f], predictions[plan == f], cuts[f]) for f in folds]
    return np.array(scores), said


def ratio(run: Run, folds: Sequence[int]) -> float:
    """Rows judged over rows trained on, the mean over folds."""
    sizes = [tuple(map(len, run.split(fold))) for fold in folds]
    return float(np.mean([valid / train for train, valid in sizes]))


def side_by_side(
    metric: Metric, y: np.ndarray, a: list[np.ndarray], b: list[np.ndarray]
) -> tuple[Metric, np.ndarray, np.ndarray, np.ndarray]:
    """A metric, labels and predictions whose score is the mean of the scores of several predictions of the same rows.

    Args:
        y: (n, targets).
        a: one (n, outputs) a seed.
        b: the same.
    """
    several = len(a)
    if metric.threshold is not None and y.shape == a[0].shape:
        metric = metric.at(0.5)  # of decisions, see `judged`
    one, two = np.hstack(a), np.hstack(b)
    if several == 1:
        return metric, y, one, two
    if metric.name == "roc_auc":
        metric = mean_roc_auc
    if metric.name.partition("@")[0] in COLUMNWISE and y.shape == a[0].shape:
        return metric, np.tile(y, several), one, two
    fn = metric.fn if metric.threshold is None else partial(_at, metric.fn, metric.threshold)
    return replace(metric, name=f"mean {metric.name}", fn=partial(_mean, fn, several), threshold=None), y, one, two


def _at(fn: Any, threshold: float, y: np.ndarray, p: np.ndarray) -> float:
    return fn(y, p, threshold)


def _mean(fn: Any, several: int, y: np.ndarray, p: np.ndarray) -> float:
    parts = np.split(p, several, axis=1)
    return float(np.mean([fn(y, part[:, 0] if part.shape[1] == 1 else part) for part in parts]))

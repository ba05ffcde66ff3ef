"""Tests of the difference between scores on the same folds and seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit.ensemble.decide.threshold import decide, out_of_fold_thresholds, score_at
from kit.metrics import Metric
from kit.metrics.intervals import Difference, difference, resampled
from kit.run.run import Run

EQUAL = 1e-9  # a standard error below this share of the mean is rounding noise: all gains are equal


def corrected_t(gains: np.ndarray, ratio: float, level: float = 0.95) -> Difference:
    """Corrected resampled t-test (Nadeau & Bengio 2003) of a mean gain over folds and seeds.

    Fits of cross-validation share most of their train rows, so the variance of a mean of J gains is not σ²/J but about
    (1/J + ratio) σ². Gains of one fold with several seeds share their scored rows as well: J is divided by the design
    effect of such clusters (Kish 1965), 1 + (seeds - 1) · their correlation, from a one-way analysis of variance. So if
    the seed changes nothing in a member, each fold counts once, with any number of seeds.

    Args:
        gains: (folds, seeds) or (folds,); NaN: not fitted or not scored.
        ratio: scored rows divided by train rows of a fold.
        level: level of the interval.

    Returns:
        The mean gain, its interval and the two-sided p-value of no gain. With fewer than 2 folds, or if all gains are
        equal, there is no estimate of the variation: the interval is infinite and p is 1.
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
    size = (total - (counts**2).sum() / total) / (len(gains) - 1)  # seeds per fold
    shared = max(0.0, (between - inside) / size)
    variance = shared + inside if shared or total == len(gains) else float(np.nanvar(gains, ddof=1))
    effect = 1 + ((counts**2).sum() / total - 1) * (shared / variance if variance else 0.0)
    independent = total / effect
    error = np.sqrt((1 / independent + ratio) * variance)
    if mean == 0 == error:
        return Difference(mean, mean, mean, 1.0)
    if error <= EQUAL * abs(mean):
        return Difference(mean, -np.inf, np.inf, 1.0)
    half = float(t.ppf(0.5 + level / 2, independent - 1) * error)
    return Difference(mean, mean - half, mean + half, float(2 * t.sf(abs(mean) / error, independent - 1)))


def metric_of_fold_scores(metric: Metric, y: np.ndarray, decided: np.ndarray) -> Metric:
    """The metric for the second result of `fold_scores`, which are decisions if the metric has a threshold.

    Args:
        metric: the metric of predictions.
        y: (n, targets) labels.
        decided: (n, outputs) predictions or decisions.
    """
    return metric.at(0.5) if metric.threshold is not None and y.shape == decided.shape else metric


def fold_scores(run: Run, predictions: np.ndarray, folds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores (folds,) of out-of-fold predictions (n, outputs); and the predictions, or decisions with a threshold.

    A metric with a threshold uses the best threshold of the other folds, as in the leaderboard.
    """
    rows = np.isin(run.plan, folds)
    y, plan, decided = run.table.y, run.plan, predictions.astype(np.float64)
    cuts = out_of_fold_thresholds(run.metric_of(rows), y[rows], predictions[rows], plan[rows])
    for fold in folds:
        decided[plan == fold] = decide(decided[plan == fold], cuts[fold])
    parts = [(f, plan == f) for f in folds]
    scores = [score_at(run.metric_of(here), y[here], predictions[here], cuts[f]) for f, here in parts]
    return np.array(scores), decided


def valid_train_ratio(run: Run, folds: Sequence[int]) -> float:
    """Scored rows divided by train rows, as the mean over folds."""
    sizes = [tuple(map(len, run.split(fold))) for fold in folds]
    return float(np.mean([valid / train for train, valid in sizes]))


def seeds_difference(
    metric: Metric,
    y: np.ndarray,
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    rounds: int = 1000,
    groups: Any = None,
) -> Difference:
    """How much better the mean score of `a` is than that of `b`, on the same resamples.

    Args:
        metric: the metric.
        y: (n, targets) labels.
        a: for each seed (n, outputs) predictions; with a threshold decisions, as from `fold_scores`.
        b: the same for the other side.
        rounds: number of resamples of the bootstrap.
        groups: (n,) rows of one group are drawn together; None: single rows are drawn.
    """
    metric = metric_of_fold_scores(metric, y, a[0])
    scores = resampled(metric, y, [*a, *b], rounds, groups=groups)
    means = np.stack([part.mean(axis=1) for part in (scores[:, : len(a)], scores[:, len(a) :])], axis=1)
    one, two = (float(np.mean([metric(y, p) for p in side])) for side in (a, b))
    return difference(metric, (one, two), means)

"""Scores of the same folds and seeds: the test of their differences, and what several seeds come to together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit.ensemble.threshold import decide, judge, unseen_thresholds
from kit.intervals import Difference, difference, resampled
from kit.metrics import Metric
from kit.run import Run

EQUAL = 1e-9  # an error of the mean below this share of it is rounding noise of equal gains


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
        The mean gain, its interval and the two-sided p of no gain. Infinite and 1 where there are fewer than 2 folds,
        or where all gains are one and the same number: they say nothing of how far another one would lie from them.
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
    if mean == 0 == error:
        return Difference(mean, mean, mean, 1.0)
    if error <= EQUAL * abs(mean):
        return Difference(mean, -np.inf, np.inf, 1.0)
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


def paired_seeds(
    metric: Metric,
    y: np.ndarray,
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    rounds: int = 1000,
    groups: Any = None,
) -> Difference:
    """By how much the mean score of several predictions is better than that of others, all on the same resamples.

    Args:
        y: (n, targets).
        a: one (n, outputs) a seed; of a metric with a threshold decisions, as `judged` makes them.
        b: the same.
        rounds: of the bootstrap.
        groups: (n,) rows of one group are drawn together; None draws row by row.
    """
    if metric.threshold is not None and y.shape == a[0].shape:
        metric = metric.at(0.5)
    scores = resampled(metric, y, [*a, *b], rounds, groups=groups)
    means = np.stack([part.mean(axis=1) for part in (scores[:, : len(a)], scores[:, len(a) :])], axis=1)
    one, two = (float(np.mean([metric(y, p) for p in side])) for side in (a, b))
    return difference(metric, (one, two), means)

"""Intervals of scores and of differences of scores: the bootstrap over rows (Efron & Tibshirani 1993, ch. 13–16)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.metrics.bootstrap import resampled
from kit.metrics.metric import Metric

__all__ = ["Difference", "Interval", "bootstrap", "difference", "paired", "percentiles", "resampled"]


@dataclass(frozen=True)
class Interval:
    """A score on all rows, and the percentiles of its resamples; nan where there is no score."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.5f} [{self.low:.5f}, {self.high:.5f}]"


@dataclass(frozen=True)
class Difference:
    """By how much one prediction is better than another; positive: better, in the metric's own unit.

    Attributes:
        p: two-sided: twice the share of resamples in which the difference has not the sign it mostly has, at least
            2 / (rounds + 1), at most 1.
    """

    value: float
    low: float
    high: float
    p: float

    def __str__(self) -> str:
        return f"{self.value:+.5f} [{self.low:+.5f}, {self.high:+.5f}]"


def bootstrap(
    metric: Metric,
    y: np.ndarray,
    p: np.ndarray,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    groups: Any = None,
) -> Interval:
    """A prediction's score with its percentile interval over rows drawn with replacement.

    The interval is for other rows of the same kind and the same fit. It does not cover what another fit would score.

    Args:
        metric: with a threshold: as it stands.
        y: (n,) or (n, targets) labels.
        p: (n,) or (n, outputs) predictions.
        level: share of resamples inside the interval.
        groups: (n,) rows of one group are drawn together (cluster bootstrap); None draws row by row.

    Raises:
        KitError: rounds or level out of range, another number of groups than rows, or what the metric refuses.
    """
    _check(rounds, level)
    scores = resampled(metric, y, [p], rounds, seed, groups)[:, 0]
    return Interval(metric(y, p), *percentiles(scores, level))


def paired(
    metric: Metric,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    groups: Any = None,
) -> Difference:
    """By how much `a` scores better than `b`, both on the same resamples. Arguments as of `bootstrap`."""
    _check(rounds, level)
    scores = resampled(metric, y, [a, b], rounds, seed, groups)
    return difference(metric, (metric(y, a), metric(y, b)), scores, level)


def difference(metric: Metric, values: tuple[float, float], scores: np.ndarray, level: float = 0.95) -> Difference:
    """The Difference of two predictions.

    Args:
        values: their scores on all rows.
        scores: (rounds, 2) their scores on the same resamples, of `resampled`.
    """
    ahead, behind = (0, 1) if metric.greater_is_better else (1, 0)
    gains = scores[:, ahead] - scores[:, behind]
    gains = gains[~np.isnan(gains)].round(12) + 0.0  # rounding noise is no difference, nor is -0.0
    value = values[ahead] - values[behind]
    if not len(gains) or np.isnan(value):
        return Difference(value, np.nan, np.nan, np.nan)
    rarer = min(int((gains <= 0).sum()), int((gains >= 0).sum()))
    return Difference(value, *percentiles(gains, level), min(1.0, 2 * (rarer + 1) / (len(gains) + 1)))


def _check(rounds: int, level: float) -> None:
    if rounds < 1:
        raise KitError(f"bootstrap: rounds = {rounds}; draw at least once")
    if not 0 < level < 1:
        raise KitError(f"bootstrap: level = {level:g}; give a share between 0 and 1, such as 0.95")


def percentiles(scores: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The ends of the interval that holds `level` of the scores that are known; nan where none is."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

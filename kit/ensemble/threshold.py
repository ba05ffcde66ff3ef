"""Thresholds of metrics that judge decisions, chosen on rows whose labels are known; predictions stay probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from kit.ensemble.base import Blend, Blended
from kit.metrics import Metric, accuracy, f1, mcc, mean_roc_auc

GRID = 200  # cuts tried for a metric that is not known to be a function of counts


def takes_threshold(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether predictions (n, outputs) are cut for labels (n, targets): class indices are not, argmax decides there."""
    return metric.threshold is not None and np.shape(y)[1:] == np.shape(p)[1:]


def best_threshold(metric: Metric, y: np.ndarray, p: np.ndarray) -> tuple[float, ...]:
    """The threshold of each column at which `metric` is best on these rows.

    Every cut between two neighbouring predictions is tried, and lies midway between them; so are yes to all and no to
    all. Of equally good cuts the one nearest to the metric's own threshold is taken. F1, accuracy and MCC are means
    over columns of functions of counts, so one sort a column finds its best. Any other metric is asked at each cut (at
    most GRID of them, even in rank), with one threshold for all columns.

    Args:
        metric: with a threshold.
        y: (n, outputs) labels; soft ones: yes from 0.5.
        p: (n, outputs) predictions.
    """
    y, p = np.reshape(y, (len(y), -1)), np.asarray(p, dtype=np.float64).reshape(len(p), -1)
    assert metric.threshold is not None
    if (score := COUNTED.get(metric.fn)) is not None:
        pairs = zip(y.T >= 0.5, p.T, strict=True)
        return tuple(_best(_cuts(column), _counted(score, yes, column), metric.threshold) for yes, column in pairs)
    cuts = _cuts(p)
    cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, GRID).round().astype(int))]
    sign = 1 if metric.greater_is_better else -1
    scores = np.array([sign * metric.at(cut)(y, p) for cut in cuts.tolist()])
    return (_best(cuts, np.where(np.isnan(scores), -np.inf, scores), metric.threshold),) * p.shape[1]


def decide(p: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Predictions (n, outputs) as decisions 0 and 1, at one threshold a column; without thresholds as they are."""
    return (np.asarray(p, dtype=np.float64) >= np.asarray(thresholds)).astype(float) if len(thresholds) else p


def judge(metric: Metric, y: np.ndarray, p: np.ndarray, thresholds: Sequence[float]) -> float:
    """The metric's value at one threshold a column; without thresholds its plain value."""
    return metric.at(0.5)(y, decide(p, thresholds)) if len(thresholds) else metric(y, p)


def unseen_thresholds(metric: Metric, y: np.ndarray, p: np.ndarray, plan: np.ndarray) -> dict[int, tuple[float, ...]]:
    """For each fold the thresholds best on all others: the metric's own if it is alone, () if nothing is cut."""
    numbers = np.unique(plan).tolist()
    if not takes_threshold(metric, y, p):
        return dict.fromkeys(numbers, ())
    if len(numbers) == 1:
        return {numbers[0]: (metric.threshold,) * p.shape[1]}
    return {fold: best_threshold(metric, y[plan != fold], p[plan != fold]) for fold in numbers}


def judge_folds(
    metric: Metric, y: np.ndarray, p: np.ndarray, plan: np.ndarray, thresholds: dict[int, tuple[float, ...]]
) -> float:
    """The metric's value on all rows together, each fold's predictions cut at the thresholds of that fold."""
    decided, said = decide_folds(metric, p, plan, thresholds)
    return decided(y, said)


def decide_folds(
    metric: Metric, p: np.ndarray, plan: np.ndarray, thresholds: dict[int, tuple[float, ...]]
) -> tuple[Metric, np.ndarray]:
    """Predictions (n, outputs), each fold's cut at its thresholds, and the metric that judges them as they then are."""
    if not any(thresholds.values()):
        return metric, p
    said = np.asarray(p, dtype=np.float64).copy()
    for fold, cuts in thresholds.items():
        said[plan == fold] = decide(p[plan == fold], cuts)
    return metric.at(0.5), said


def fit_thresholded(
    blend: Blend,
    predictions: np.ndarray,
    y: np.ndarray,
    metric: Metric,
    names: Sequence[str] = (),
    plan: np.ndarray | None = None,
    columns: pd.DataFrame | None = None,
    groups: np.ndarray | None = None,
) -> Blended:
    """`blend.fit`, and for a metric with a threshold the best one for the blend.

    The weights are then sought by mean ROC AUC. The metric at a fixed threshold rewards members that happen to be
    centred there; at its best threshold it jumps with single rows, so that its maximum is fitted to noise: of simulated
    members, weights found by AUC had the better F1 on fresh rows.
    """
    if not takes_threshold(metric, y, predictions[0]):
        return blend.fit(predictions, y, metric, names, plan, columns, groups)
    blended = blend.fit(predictions, y, mean_roc_auc, names, plan, columns, groups, goal=metric)
    return replace(cast(Any, blended), thresholds=best_threshold(metric, y, blended.apply(predictions, columns)))


Counted = Callable[
    [np.ndarray, np.ndarray, int, int], np.ndarray
]  # right yeses, all yeses, positive rows, rows → score


def _f1(hits: np.ndarray, said: np.ndarray, positive: int, n: int) -> np.ndarray:
    return 2 * hits / np.maximum(positive + said, 1)


def _accuracy(hits: np.ndarray, said: np.ndarray, positive: int, n: int) -> np.ndarray:
    return (n - positive - said + 2 * hits) / n


def _mcc(hits: np.ndarray, said: np.ndarray, positive: int, n: int) -> np.ndarray:
    scale = np.sqrt(float(positive) * (n - positive)) * np.sqrt(said.astype(float) * (n - said))
    return (hits * float(n) - said * float(positive)) / np.where(scale == 0, np.inf, scale)


COUNTED: dict[Callable[..., float], Counted] = {f1.fn: _f1, accuracy.fn: _accuracy, mcc.fn: _mcc}


def _cuts(p: np.ndarray) -> np.ndarray:
    """Thresholds that part the distinct predictions in every way, falling: from no to all, to yes to all."""
    values = np.unique(p)[::-1]
    middle = values[1:] + (values[:-1] - values[1:]) / 2
    middle = np.where(middle > values[1:], middle, values[:-1])  # neighbouring floats have nothing between them
    return np.concatenate([[np.nextafter(values[0], np.inf)], middle, values[-1:]])


def _counted(score: Counted, yes: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The score at each of `_cuts`, from counts of the rows above it."""
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # the last row of each run of equal predictions
    hits, said = (np.concatenate([[0], counts]) for counts in (np.cumsum(yes[order])[ends], ends + 1))
    return score(hits, said, int(yes.sum()), len(yes))


def _best(cuts: np.ndarray, scores: np.ndarray, usual: float) -> float:
    scores = scores.round(12)  # rounding noise must not decide between equal cuts
    equals = cuts[scores == scores.max()]
    return float(equals[np.abs(equals - usual).argmin()])

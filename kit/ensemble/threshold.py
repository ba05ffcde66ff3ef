"""Thresholds of metrics that judge decisions, chosen on rows whose labels are known; predictions stay as they are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from kit.ensemble.auto import Auto, Chosen
from kit.ensemble.base import Around, Blend, Blended, Judged, Weighted, checked
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.grades import best_grades, correlation, graded, takes_grades
from kit.ensemble.per_column import ByColumn
from kit.ensemble.power import Pooled
from kit.metrics import Metric, accuracy, f1, mcc, mean_roc_auc
from kit.spec import KitError

GRID = 200  # cuts tried for a metric that is not known to be a function of counts


def takes_threshold(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether predictions (n, outputs) are cut for labels (n, targets): class indices are not, argmax decides there."""
    return says_yes(metric, y, p) or takes_grades(metric, y, p)


def says_yes(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether predictions are cut into yes and no, one threshold a column."""
    return metric.threshold is not None and np.shape(y)[1:] == np.shape(p)[1:]


def stand_in(metric: Metric, y: np.ndarray) -> Metric:
    """By what weights are sought where `metric` cuts: what a threshold can make of an order is left to the threshold.

    A metric at a fixed threshold rewards members that happen to be centred there; at its best threshold it jumps with
    single rows, so that its maximum is fitted to noise. Of simulated members, weights found by AUC had the better F1
    on fresh rows, and those found by the correlation with the grades the better kappa: better than those found by kappa
    or by RMSE, to which a member that is right but timid looks bad.
    """
    return correlation if metric.threshold is None and (y.min() < 0 or y.max() > 1) else mean_roc_auc


def best_threshold(metric: Metric, y: np.ndarray, p: np.ndarray) -> tuple[float, ...]:
    """The threshold of each column at which `metric` is best on these rows.

    Every cut between two neighbouring predictions is tried, and lies midway between them; so are yes to all and no to
    all. Of equally good cuts the one nearest to the metric's own threshold is taken. F1, accuracy and MCC are means
    over columns of functions of counts, so one sort a column finds its best. Any other metric is asked at each cut (at
    most GRID of them, even in rank), with one threshold for all columns. For quadratic kappa see `best_grades`.

    Args:
        metric: with a threshold, or quadratic kappa.
        y: (n, outputs) labels; soft ones: yes from 0.5.
        p: (n, outputs) predictions.
    """
    if takes_grades(metric, y, p):
        return best_grades(y, p)
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
    """Predictions (n, outputs) as decisions 0 and 1, or as grades; without thresholds as they are."""
    if not len(thresholds):
        return p
    if len(thresholds) > np.shape(p)[1]:  # the lowest grade and the cuts of one column
        return graded(p, tuple(thresholds))
    return (np.asarray(p, dtype=np.float64) >= np.asarray(thresholds)).astype(float)


def told(targets: Sequence[str], thresholds: Sequence[float]) -> list[tuple[str, float]]:
    """Each threshold after what it gives from there on: a column its yes, or the one column its next grade."""
    if len(thresholds) > len(targets):
        lowest, *cuts = thresholds
        return [(f"{lowest + 1 + i:g}", cut) for i, cut in enumerate(cuts)]
    return list(zip(targets, thresholds, strict=True))


def of_decisions(metric: Metric) -> Metric:
    """The metric that judges what has been decided."""
    return metric if metric.threshold is None else metric.at(0.5)


def judge(metric: Metric, y: np.ndarray, p: np.ndarray, thresholds: Sequence[float]) -> float:
    """The metric's value at these thresholds; without thresholds its plain value."""
    return of_decisions(metric)(y, decide(p, thresholds)) if len(thresholds) else metric(y, p)


def unseen_thresholds(metric: Metric, y: np.ndarray, p: np.ndarray, plan: np.ndarray) -> dict[int, tuple[float, ...]]:
    """For each fold the thresholds best on all others: the metric's own if it is alone, () if nothing is cut."""
    numbers = np.unique(plan).tolist()
    if not takes_threshold(metric, y, p):
        return dict.fromkeys(numbers, ())
    if len(numbers) == 1:  # of grades the metric's own way is to round
        return {numbers[0]: () if metric.threshold is None else (metric.threshold,) * p.shape[1]}
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
    return of_decisions(metric), said


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
    """`blend.fit`; where the metric cuts, weights are sought by its `stand_in`, then the best thresholds are chosen.

    Those of a weighted mean are chosen on the rows that it has learnt from. What learns more is surer of such rows than
    of fresh ones, so that its thresholds are chosen on its out-of-fold predictions, where `plan` holds folds enough.
    """
    if not takes_threshold(metric, y, predictions[0]):
        return blend.fit(predictions, y, metric, names, plan, columns, groups)
    sought = stand_in(metric, y)
    blended = blend.fit(predictions, y, sought, names, plan, columns, groups, goal=metric)
    said = None
    if not _modest(blended):
        if isinstance(blend, Auto) and isinstance(blended, Chosen):
            blend = blend.named(blended.choice)
        p = checked(predictions, blended.members, blend.compact)
        try:
            said = cross_fitted(
                blend, Judged(p, y, sought, blended.members, plan, columns, groups, metric), "a threshold"
            )
        except KitError:  # too few folds, or labels of one kind alone in them: better a flattered cut than none
            said = None
    if said is None:
        said = blended.apply(predictions, columns)
    return replace(cast(Any, blended), thresholds=best_threshold(metric, y, said))


def _modest(blended: Blended) -> bool:
    """Whether the blend is a mean of its members, which says of learnt rows about what it would of new ones."""
    if isinstance(blended, Around):
        return _modest(blended.blended)
    if isinstance(blended, ByColumn):
        return all(map(_modest, blended.parts))
    return isinstance(blended, Weighted | Pooled)


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

"""Thresholds for metrics of decisions, chosen on rows with labels; predictions are not changed."""

from collections.abc import Sequence

import numpy as np

from kit.ensemble.decide.grades import best_grades, graded, takes_grades
from kit.metrics import Metric, mean_roc_auc, pearson
from kit.metrics.gaps import has_gaps, known_of_targets
from kit.metrics.sums import decides_by_column, kinds_of_rows

GRID = 200  # thresholds tried for a metric without row statistics


def takes_threshold(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether decisions for labels (n, targets) need a threshold. Class indices do not: argmax decides."""
    return takes_yes_no(metric, y, p) or takes_grades(metric, y, p)


def takes_yes_no(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether thresholds, one for each column, make yes or no of the predictions."""
    return metric.threshold is not None and np.shape(y)[1:] == np.shape(p)[1:]


def surrogate_metric(metric: Metric, y: np.ndarray) -> Metric:
    """The metric for which weights are optimised if `metric` needs thresholds; the thresholds are chosen afterwards.

    At a fixed threshold, a metric prefers members whose predictions happen to be centred there. At its best threshold,
    it jumps with single rows, so its maximum fits noise. With simulated members, weights optimised for AUC gave a
    better F1 on new rows; and weights optimised for the correlation with the grades gave a better kappa than weights
    optimised for kappa or RMSE: these give low weights to members in the right order but with too small differences.
    """
    return pearson if metric.threshold is None and (np.nanmin(y) < 0 or np.nanmax(y) > 1) else mean_roc_auc


def best_threshold(metric: Metric, y: np.ndarray, p: np.ndarray) -> tuple[float, ...]:
    """The threshold of each column at which `metric` is best on these rows.

    All midpoints between neighbouring predictions are tried, and also yes for all rows and no for all rows. Of equally
    good thresholds, the one nearest to the metric's own is chosen. If each column is scored separately from row
    statistics (F1, accuracy, MCC, your own metric), one sort of each column finds its best threshold. Any other metric
    is computed at each threshold (at most GRID of them, equally spaced in rank), the same for all columns. For
    quadratic kappa see `best_grades`.

    Args:
        metric: a metric with a threshold, or quadratic kappa.
        y: (n, outputs) labels; a soft label is a yes from 0.5 on. Rows whose label in a column is missing (NaN) have no
            part in that column's threshold.
        p: (n, outputs) predictions.
    """
    if takes_grades(metric, y, p):
        return best_grades(y, p)
    y, p = np.reshape(y, (len(y), -1)), np.asarray(p, dtype=np.float64).reshape(len(p), -1)
    assert metric.threshold is not None
    if decides_by_column(metric, y, p):
        pairs = list(zip(y.T, p.T, strict=True))
        if has_gaps(y):
            pairs = [(labels, column) for _, labels, column in known_of_targets(y, p)]
        return tuple(_best(metric, *_scores_at_cuts(metric, labels, column)) for labels, column in pairs)
    cuts = _cuts(np.unique(p)[::-1])
    cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, GRID).round().astype(int))]
    return (_best(metric, cuts, np.array([metric.at(cut)(y, p) for cut in cuts.tolist()])),) * p.shape[1]


def decide(p: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Predictions (n, outputs) as decisions 0 and 1, or as grades; unchanged without thresholds."""
    if not len(thresholds):
        return p
    if len(thresholds) > np.shape(p)[1]:  # the lowest grade and the cuts of one column
        return graded(p, tuple(thresholds))
    return (np.asarray(p, dtype=np.float64) >= np.asarray(thresholds)).astype(float)


def named_thresholds(targets: Sequence[str], thresholds: Sequence[float]) -> list[tuple[str, float]]:
    """Thresholds by name: the name of the column, or of the grade that begins there."""
    if len(thresholds) > len(targets):
        lowest, *cuts = thresholds
        return [(f"{lowest + 1 + i:g}", cut) for i, cut in enumerate(cuts)]
    return list(zip(targets, thresholds, strict=True))


def metric_of_decisions(metric: Metric) -> Metric:
    """The metric that scores decisions."""
    return metric if metric.threshold is None else metric.at(0.5)


def score_at(metric: Metric, y: np.ndarray, p: np.ndarray, thresholds: Sequence[float]) -> float:
    """The metric's value at these thresholds; without thresholds its plain value."""
    return metric_of_decisions(metric)(y, decide(p, thresholds)) if len(thresholds) else metric(y, p)


def out_of_fold_thresholds(
    metric: Metric, y: np.ndarray, p: np.ndarray, plan: np.ndarray
) -> dict[int, tuple[float, ...]]:
    """For each fold the best thresholds of all other folds. Only one fold: the metric's own; (): none are needed."""
    numbers = np.unique(plan).tolist()
    if not takes_threshold(metric, y, p):
        return dict.fromkeys(numbers, ())
    if len(numbers) == 1:  # without thresholds, values are rounded to grades
        return {numbers[0]: () if metric.threshold is None else (metric.threshold,) * p.shape[1]}
    others = {fold: plan != fold for fold in numbers}
    return {fold: best_threshold(metric.take(rows), y[rows], p[rows]) for fold, rows in others.items()}


def score_at_folds(
    metric: Metric, y: np.ndarray, p: np.ndarray, plan: np.ndarray, thresholds: dict[int, tuple[float, ...]]
) -> float:
    """The metric of all rows together, with each fold's predictions decided at the thresholds of that fold."""
    decided, decisions = decide_folds(metric, p, plan, thresholds)
    return decided(y, decisions)


def decide_folds(
    metric: Metric, p: np.ndarray, plan: np.ndarray, thresholds: dict[int, tuple[float, ...]]
) -> tuple[Metric, np.ndarray]:
    """Decisions (n, outputs), each fold at its own thresholds, and the metric that scores such decisions."""
    if not any(thresholds.values()):
        return metric, p
    decisions = np.asarray(p, dtype=np.float64).copy()
    for fold, cuts in thresholds.items():
        decisions[plan == fold] = decide(p[plan == fold], cuts)
    return metric_of_decisions(metric), decisions


def _cuts(values: np.ndarray) -> np.ndarray:
    """All thresholds that separate different predictions, falling: from no for all rows to yes for all rows."""
    middle = values[1:] + (values[:-1] - values[1:]) / 2
    middle = np.where(middle > values[1:], middle, values[:-1])  # there is no float between neighbouring floats
    return np.concatenate([[np.nextafter(values[0], np.inf)], middle, values[-1:]])


def _scores_at_cuts(metric: Metric, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All thresholds of one column, falling, and the score at each, from sums over the rows above it."""
    kinds, order = kinds_of_rows(metric, y), np.argsort(-p)  # one sort; the order of equal ones does not matter
    ranked, of_row = p[order], kinds.of_row[order]
    last = np.ones(len(p), dtype=bool)  # last one of several equal predictions
    np.not_equal(ranked[1:], ranked[:-1], out=last[:-1])
    ends = last.nonzero()[0]
    yes = np.zeros((len(kinds.changes), len(ends) + 1))
    for kind in range(1, len(yes)):
        yes[kind, 1:] = np.cumsum(of_row if of_row.dtype == bool else of_row == kind)[ends]
    yes[0, 1:] = ends + 1 - yes[1:, 1:].sum(axis=0)
    return _cuts(ranked[ends]), metric.of_sums(kinds.sums(yes), np.full(len(ends) + 1, len(y)))


def _best(metric: Metric, cuts: np.ndarray, scores: np.ndarray) -> float:
    """The best threshold; of equally good ones the nearest to the metric's own."""
    scores = (scores if metric.greater_is_better else -scores).round(12)  # rounding noise must not decide
    scores = np.where(np.isnan(scores), -np.inf, scores)
    equals = cuts[scores == scores.max()]
    return float(equals[np.abs(equals - metric.threshold).argmin()])

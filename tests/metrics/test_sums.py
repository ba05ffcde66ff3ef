"""Row statistics: the bootstrap scores resamples as the metric does, also for a metric of your own."""

from dataclasses import replace

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.metrics import (
    METRICS,
    Metric,
    accuracy,
    column_weighted,
    f1,
    f_beta,
    log_loss,
    metric_named,
    quadratic_kappa,
    roc_auc,
)
from kit.metrics.bootstrap import resample_counts, resample_scorer
from kit.metrics.sums import row_sums
from tests.helpers.metrics import classes, cost, cost_of_sums, cost_stats, naive, own, rows

NAMES = ["f_beta(2)", "pinball(0.8)", "precision_at(2)", "recall_at(2)", "ndcg_at(2)"]
EVERY = [*METRICS.values(), *map(metric_named, NAMES)]
EVERY += [column_weighted(metric_named(name), 1, 0, 2) for name in ("roc_auc", "f1", "log_loss", "rmse", "mae", "mcc")]


@pytest.mark.parametrize("metric", [*EVERY, own], ids=str)
@pytest.mark.parametrize("columns", [1, 3])
def test_resamples_score_as_the_metric_does(metric: Metric, columns: int) -> None:
    if columns == 1 and (metric.column_weights or "_at(" in metric.name):
        return
    if columns > 1 and metric in (roc_auc, quadratic_kappa):  # of one column alone
        return
    y, p = rows(40, columns, digits=1)
    y[:, 0], y[:3, 0] = 0, 1  # often only one class is drawn
    counts = np.concatenate(list(resample_counts(40, 25, 1)), axis=1)
    expected = naive(metric, y, p, counts)
    np.testing.assert_allclose(resample_scorer(metric, y, p)(counts), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", [m for m in EVERY if not m.kinds or "multiclass" in m.kinds], ids=str)
def test_resamples_of_classes_score_as_the_metric_does(metric: Metric) -> None:
    y, p = classes(40)
    try:
        metric(y, p)
    except KitError:
        return  # a metric of values
    counts = np.concatenate(list(resample_counts(40, 25, 1)), axis=1)
    expected = naive(metric, y, p, counts)
    np.testing.assert_allclose(resample_scorer(metric, y, p)(counts), expected, rtol=1e-9, atol=1e-12)


def test_the_bootstrap_of_your_own_metric_looks_at_rows_once() -> None:
    """However many resamples are scored, the function and its row statistics are computed a fixed number of times."""
    calls: list[str] = []

    def counted(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
        calls.append("rows")
        return cost_stats(y, p, threshold)

    def whole(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
        calls.append("metric")
        return cost(y, p, threshold)

    metric = replace(own, fn=whole, row_stats=counted)
    y, p = rows(50)
    score = resample_scorer(metric, y, p)
    before = len(calls)
    score(np.concatenate(list(resample_counts(50, 200, 0)), axis=1))
    assert len(calls) == before <= 5


def test_a_metric_is_its_row_statistics_where_no_function_is_given() -> None:
    y, p = rows(50)
    alone = replace(own, fn=None, name="cost")
    assert alone(y, p) == pytest.approx(own(y, p)) and alone.at(0.2)(y, p) == pytest.approx(own.at(0.2)(y, p))
    mean = Metric(name="mean", row_stats=lambda y, p: np.abs(y - p) ** 1.5, greater_is_better=False)
    assert mean(y, p) == pytest.approx((np.abs(y - p) ** 1.5).mean()) and mean.is_mean_of_rows


def test_row_statistics_that_are_not_the_functions_are_refused() -> None:
    y, p = rows(50)
    wrong = replace(own, row_stats=lambda y, p, t: cost_stats(y, p, t) * 2)
    with pytest.raises(KitError, match="cost: row_stats and from_sums give .*, but the function gives"):
        resample_scorer(wrong, y, p)
    with pytest.raises(KitError, match="from_sums scores the sums of row_stats; give row_stats too"):
        Metric(cost, greater_is_better=False, from_sums=cost_of_sums)


def test_what_has_no_sums_over_rows() -> None:
    y, p = rows(50)
    for metric in (roc_auc, metric_named("r2"), metric_named("precision_at(3)")):  # one list of all rows
        assert row_sums(metric, y, p) is None
    for metric in (f1, accuracy, log_loss, f_beta(2)):
        assert row_sums(metric, y, p) is not None

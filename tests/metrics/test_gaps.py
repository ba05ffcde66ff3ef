"""Labels that are missing in one of several targets: each target is scored over its known rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.metrics import METRICS, Metric, by_group, column_weighted, metric_named, row_weighted, undefined_columns
from kit.metrics.check import check_metric
from kit.metrics.intervals import resampled

RNG = np.random.default_rng(3)
N = 60
Y = (RNG.random((N, 3)) < 0.4).astype(float)
P = RNG.random((N, 3))
GAPS = RNG.random((N, 3)) < [0.3, 0.0, 0.6]
HOLED = np.where(GAPS, np.nan, Y)
ROWS = pd.DataFrame({"w": RNG.random(N) + 0.1, "g": RNG.integers(0, 4, N)})
TOGETHER = {"micro_f1", "ndcg", "roc_auc", "quadratic_kappa"}  # scores of all targets of a row, or of one target alone


def naive(metric: Metric, of_one: Any = None) -> float:
    """The mean over targets of the score of each over the rows whose label is known."""
    scores = []
    for j in range(3):
        known = ~GAPS[:, j]
        one = (of_one or metric).on(ROWS).take(known) if (of_one or metric).columns else (of_one or metric)
        scores.append(one(HOLED[known, j], P[known, j]))
    return float(np.mean(scores))


@pytest.mark.parametrize("name", [*sorted({*METRICS} - TOGETHER), "pinball(0.3)", "f_beta(2)"])
def test_every_target_is_scored_over_its_known_rows(name: str) -> None:
    metric = metric_named(name)
    assert metric(HOLED, P) == pytest.approx(naive(metric), rel=1e-12)
    assert metric(Y, P) == pytest.approx(np.mean([metric(Y[:, j], P[:, j]) for j in range(3)]), rel=1e-12)


@pytest.mark.parametrize("name", [*sorted(TOGETHER), "precision_at(1)"])
def test_what_scores_all_targets_together_refuses_gaps_before_a_fit(name: str) -> None:
    with pytest.raises(KitError, match="^" + name.replace("(", r"\(").replace(")", r"\)") + ": labels are missing in"):
        metric_named(name)(HOLED, P)
    with pytest.raises(KitError, match="does not fit a multilabel task: .* fits$"):
        check_metric(metric_named(name), "multilabel", HOLED, 3)


def test_weights_of_rows_and_columns_and_groups_agree_with_the_metric_of_each_target() -> None:
    rmse = metric_named("rmse")
    for metric in (
        row_weighted(rmse, "w"),
        by_group(rmse, "g"),
        by_group(row_weighted(rmse, "w"), "g", weights="rows"),
    ):
        assert metric.on(ROWS)(HOLED, P) == pytest.approx(naive(metric), rel=1e-12)
    scores = [rmse(HOLED[~GAPS[:, j], j], P[~GAPS[:, j], j]) for j in range(3)]
    weighted = np.average(scores, weights=[1, 2, 3])
    assert column_weighted(rmse, 1, 2, 3)(HOLED, P) == pytest.approx(weighted)
    by = [by_group(rmse, "g").on(ROWS).take(~GAPS[:, j])(Y[~GAPS[:, j], j], P[~GAPS[:, j], j]) for j in range(3)]
    for metric in (by_group(column_weighted(rmse, 1, 2, 3), "g"), column_weighted(by_group(rmse, "g"), 1, 2, 3)):
        assert metric.on(ROWS)(HOLED, P) == pytest.approx(np.average(by, weights=[1, 2, 3]))


@pytest.mark.parametrize("name", ["mean_roc_auc", "log_loss", "f1", "rmse", "average_precision", "by_group(rmse,'g')"])
def test_resamples_are_scored_as_their_rows_would_be(name: str) -> None:
    metric = metric_named(name)
    metric = metric.on(ROWS) if metric.columns else metric
    found = resampled(metric, HOLED, [P], rounds=8, seed=1)[:, 0]
    rng = np.random.default_rng(1)
    for score in found:
        rows = rng.integers(0, N, N)
        assert score == pytest.approx(metric.take(rows)(HOLED[rows], P[rows]), rel=1e-9)


def test_a_target_that_a_resample_does_not_know_counts_for_nothing_there() -> None:
    y, p = np.array([[1.0, np.nan], [0.0, 1.0], [1.0, np.nan]]), np.full((3, 2), 0.2)
    scores = resampled(metric_named("mae"), y, [p], rounds=40)[:, 0]
    assert np.isfinite(scores).all() and len(np.unique(scores.round(6))) > 2


def test_own_metrics_take_gaps_by_column_or_refuse_them() -> None:
    def share(y: np.ndarray, p: np.ndarray) -> float:
        assert np.isfinite(y).all()
        return float((y == (p > 0.5)).mean())

    assert Metric(share, greater_is_better=True, by_column=True)(HOLED, P) == pytest.approx(
        np.mean([share(Y[~GAPS[:, j], j], P[~GAPS[:, j], j]) for j in range(3)])
    )
    with pytest.raises(KitError, match="^share: labels are missing .* by_column=True scores each target over its"):
        Metric(share, greater_is_better=True)(HOLED, P)


def test_gaps_that_leave_nothing_are_refused() -> None:
    y = np.where([True, False], np.nan, Y[:, :2])
    with pytest.raises(KitError, match="^rmse: target 1 of 2 has no label in any of these 60 rows$"):
        metric_named("rmse")(y, P[:, :2])
    for one in (HOLED[:, 0], HOLED[:, :1]):  # the only target has none
        with pytest.raises(KitError, match="labels are NaN or infinite"):
            metric_named("rmse")(one, P[:, 0])
    assert undefined_columns(metric_named("mean_roc_auc"), [[1, np.nan], [np.nan, 0], [1, 1]]) == [0]

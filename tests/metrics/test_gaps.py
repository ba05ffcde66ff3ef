"""Labels that are missing in one of several targets: each target is scored over its known rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.metrics import ndcg_score

from kit.core.errors import KitError
from kit.metrics import (
    METRICS,
    Metric,
    by_group,
    column_weighted,
    metric_named,
    micro_f1,
    ndcg,
    precision_at,
    recall_at,
    row_weighted,
    undefined_columns,
)  # fmt: skip
from kit.metrics.check import check_metric
from kit.metrics.intervals import resampled

RNG = np.random.default_rng(3)
N = 60
Y = (RNG.random((N, 3)) < 0.4).astype(float)
P = RNG.random((N, 3))
GAPS = RNG.random((N, 3)) < [0.3, 0.0, 0.6]
HOLED = np.where(GAPS, np.nan, Y)
ROWS = pd.DataFrame({"w": RNG.random(N) + 0.1, "g": RNG.integers(0, 4, N)})
POOLED = {
    "micro_f1",
    "ndcg",
    "precision_at(2)",
    "recall_at(2)",
}  # all targets of a row together, without what is missing
ALONE = {"roc_auc", "quadratic_kappa"}  # one target alone


def naive(metric: Metric, of_one: Any = None) -> float:
    """The mean over targets of the score of each over the rows whose label is known."""
    scores = []
    for j in range(3):
        known = ~GAPS[:, j]
        one = (of_one or metric).on(ROWS).take(known) if (of_one or metric).columns else (of_one or metric)
        scores.append(one(HOLED[known, j], P[known, j]))
    return float(np.mean(scores))


@pytest.mark.parametrize("name", [*sorted({*METRICS} - ALONE - POOLED), "pinball(0.3)", "f_beta(2)"])
def test_every_target_is_scored_over_its_known_rows(name: str) -> None:
    metric = metric_named(name)
    assert metric(HOLED, P) == pytest.approx(naive(metric), rel=1e-12)
    assert metric(Y, P) == pytest.approx(np.mean([metric(Y[:, j], P[:, j]) for j in range(3)]), rel=1e-12)


@pytest.mark.parametrize("name", sorted(ALONE))
def test_what_scores_one_target_alone_refuses_gaps_before_a_fit(name: str) -> None:
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


@pytest.mark.parametrize("name", ["mean_roc_auc", "log_loss", "f1", "rmse", "average_precision", "by_group(rmse,'g')", *sorted(POOLED),
    "by_group(ndcg,'g')", "row_weighted(micro_f1,'w')"])  # fmt: skip
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


def test_micro_f1_counts_known_labels() -> None:
    cells = ~GAPS
    assert micro_f1(HOLED, P) == pytest.approx(sk.f1_score(Y[cells], P[cells] >= 0.5))
    weights = np.repeat(ROWS["w"].to_numpy()[:, None], 3, axis=1)[cells]
    weighted = sk.f1_score(Y[cells], P[cells] >= 0.5, sample_weight=weights)
    assert row_weighted(micro_f1, "w").on(ROWS)(HOLED, P) == pytest.approx(weighted)
    each = [sk.f1_score(Y[~GAPS[:, j], j], P[~GAPS[:, j], j] >= 0.5) for j in range(3)]
    assert column_weighted(micro_f1, 1, 2, 3)(HOLED, P) == pytest.approx(np.average(each, weights=[1, 2, 3]))
    with pytest.raises(KitError, match="micro_f1: labels must lie between 0 and 1; found 7"):
        micro_f1(np.where(cells, 7, HOLED), P)


def test_lists_hold_known_items_only() -> None:
    lists = [(y[~gap], p[~gap]) for y, p, gap in zip(Y, P, GAPS, strict=True)]
    found = [ndcg_score([y], [p]) if len(y) > 1 else float(y[0]) for y, p in lists if len(y)]
    assert ndcg(HOLED, P) == pytest.approx(np.mean(found))
    first = [y[np.argsort(-p)][:2] for y, p in lists if len(y)]
    assert precision_at(2)(HOLED, P) == pytest.approx(np.mean([top.mean() for top in first]))
    share = [y[np.argsort(-p)][:2].sum() / y.sum() for y, p in lists if y.sum()]
    assert recall_at(2)(HOLED, P) == pytest.approx(np.mean(share))
    more, wide = np.concatenate([HOLED, [[np.nan] * 3]]), np.concatenate([P, [[0.1, 0.2, 0.3]]])
    for metric in (ndcg, precision_at(2), recall_at(2), micro_f1):
        assert metric(more, wide) == metric(HOLED, P), "a row without labels counts for nothing"

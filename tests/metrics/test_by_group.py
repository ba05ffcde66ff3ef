"""Metrics by group and weighted by row, against a plain pandas groupby and scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs
from sklearn.metrics import ndcg_score

from kit.core.errors import KitError
from kit.metrics import (
    METRICS,
    Metric,
    accuracy,
    by_group,
    column_weighted,
    f1,
    log_loss,
    mae,
    mean_roc_auc,
    metric_named,
    ndcg_at,
    precision_at,
    recall_at,
    rmse,
    roc_auc,
    row_weighted,
)
from kit.metrics.bootstrap import resampled
from kit.metrics.intervals import bootstrap

rng = np.random.default_rng(0)
N = 240
ROWS = pd.DataFrame({
    "city": rng.choice(["Oslo", "Rome", "Lima", "Bern"], N, p=[0.4, 0.3, 0.2, 0.1]),
    "year": rng.choice([2019, 2020], N),
    "weight": rng.integers(1, 4, N),
    "share": rng.random(N),
})  # fmt: skip
YES, P = (rng.random(N) < 0.4).astype(float), rng.random(N).round(2)
VALUES, GUESSES = rng.normal(3, 1, N), rng.normal(3, 1, N)


def naive(metric: Callable[[Any, Any], float], y: np.ndarray, p: np.ndarray, by: Any = "city") -> pd.Series:
    """The metric of each group, by a plain pandas groupby."""
    return pd.Series({
        name: metric(y[part.index.to_numpy()], p[part.index.to_numpy()]) for name, part in ROWS.groupby(by)
    })  # fmt: skip


def labels_of(metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    if metric.kinds and "binary" not in metric.kinds and "regression" not in metric.kinds:
        return rng.integers(0, 3, N), rng.dirichlet(np.ones(3), N)
    if metric.needs == "grade":
        return rng.integers(0, 4, N), rng.uniform(0, 3, N)
    return (VALUES.clip(0), GUESSES.clip(0)) if metric.kinds == ("regression",) else (YES, P)


@pytest.mark.parametrize("metric", METRICS.values(), ids=str)
def test_it_is_the_mean_over_a_pandas_groupby(metric: Metric) -> None:
    y, p = labels_of(metric)
    each, size = naive(metric, y, p), ROWS.groupby("city").size()
    assert by_group(metric, "city").on(ROWS)(y, p) == pytest.approx(each.mean())
    assert by_group(metric, "city", weights="rows").on(ROWS)(y, p) == pytest.approx(np.average(each, weights=size))
    weights = {"Oslo": 1.0, "Rome": 0.0, "Lima": 3.0, "Bern": 0.5}
    found = by_group(metric, "city", weights=weights).on(ROWS)(y, p)
    assert found == pytest.approx(np.average(each, weights=[weights[city] for city in each.index]))
    assert abs(each.mean() - metric(y, p)) > 1e-6, "the example tells the two apart"


def test_groups_of_several_columns_and_of_several_targets() -> None:
    y, p = np.column_stack([YES, 1 - YES, rng.random(N) < 0.5]).astype(float), rng.random((N, 3))
    expected = naive(mean_roc_auc, y, p, ["city", "year"]).mean()
    assert by_group(mean_roc_auc, "city", "year").on(ROWS)(y, p) == pytest.approx(expected)
    weighted = column_weighted(f1, 1, 0, 2)
    assert by_group(weighted, "city").on(ROWS)(y, p) == pytest.approx(naive(weighted, y, p).mean())


def test_of_lists_it_is_the_mean_over_queries() -> None:
    query = pd.DataFrame({"query": np.repeat(np.arange(60), 4)})
    y, p = YES.reshape(60, 4), P.reshape(60, 4)
    score = by_group(ndcg_at(3), "query").on(query)(YES, P)
    assert score == pytest.approx(ndcg_score(y, p, k=3))
    assert by_group(precision_at(2), "query").on(query)(YES, P) == pytest.approx(precision_at(2)(y, p))
    assert by_group(recall_at(2), "query").on(query)(YES, P) == pytest.approx(recall_at(2)(y, p))


def test_a_list_shorter_than_k_has_nothing_in_its_last_places() -> None:
    user = pd.DataFrame({"user": ["a", "a", "a", "b"]})
    y, p = np.array([1, 0, 1, 1.0]), np.array([0.9, 0.8, 0.7, 0.6])
    assert by_group(precision_at(2), "user").on(user)(y, p) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert by_group(recall_at(2), "user").on(user)(y, p) == pytest.approx((1 / 2 + 1) / 2)
    ideal = 1 + 1 / np.log2(3)
    assert by_group(ndcg_at(2), "user").on(user)(y, p) == pytest.approx((1 / ideal + 1) / 2)


def test_a_group_without_a_score_is_left_out_and_a_missing_value_is_a_group() -> None:
    rows = pd.DataFrame({"g": ["a", "a", "b", "b", None, None]})
    y, p = np.array([0, 1, 1, 1, 0, 1.0]), np.array([0.1, 0.9, 0.5, 0.6, 0.7, 0.2])
    assert by_group(roc_auc, "g").on(rows)(y, p) == 0.5  # of a 1, of the missing one 0
    assert by_group(roc_auc, "g", weights={"a": 1, "b": 5, None: 3}).on(rows)(y, p) == pytest.approx(1 / 4)
    assert np.isnan(by_group(roc_auc, "g").on(rows.iloc[2:4])(y[2:4], p[2:4]))


@pytest.mark.parametrize(
    ("metric", "theirs_"),
    [
        (mae, theirs.mean_absolute_error),
        (rmse, theirs.root_mean_squared_error),
        (log_loss, theirs.log_loss),
        (accuracy, lambda y, p, **kw: theirs.accuracy_score(y, p >= 0.5, **kw)),
        (f1, lambda y, p, **kw: theirs.f1_score(y, p >= 0.5, **kw)),
        (METRICS["mcc"], lambda y, p, **kw: theirs.matthews_corrcoef(y, p >= 0.5, **kw)),
        (METRICS["balanced_accuracy"], lambda y, p, **kw: theirs.balanced_accuracy_score(y, p >= 0.5, **kw)),
    ],
    ids=lambda given: given.name if isinstance(given, Metric) else "",  # a function would show its address
)
def test_weighted_rows_are_scikit_learns_sample_weight(metric: Metric, theirs_: Callable[..., float]) -> None:
    p = P.clip(0.01, 0.99)
    for column in ("weight", "share"):
        score = row_weighted(metric, column).on(ROWS)(YES, p)
        assert score == pytest.approx(theirs_(YES, p, sample_weight=ROWS[column]))
        assert score != pytest.approx(metric(YES, p), abs=1e-6)
    inside = by_group(row_weighted(metric, "share"), "city").on(ROWS)(YES, p)
    parts = [theirs_(YES[i], p[i], sample_weight=ROWS["share"][i]) for i in ROWS.groupby("city").indices.values()]
    assert inside == pytest.approx(np.mean(parts))


def test_rows_of_whole_weights_count_as_so_many_rows() -> None:
    at = np.repeat(np.arange(N), ROWS["weight"])
    y, p = rng.integers(0, 3, N), rng.dirichlet(np.ones(3), N)
    for metric in METRICS.values():
        if metric.row_stats is not None and metric.needs != "grade" and metric.kinds != ("regression",):
            one, two = (y, p) if "multiclass" in metric.kinds else (YES, P)
            if metric.row_stats(one[:2], one[:2] if one is YES else two[:2], *metric_threshold(metric)) is not None:
                found = row_weighted(metric, "weight").on(ROWS)(one, two)
                assert found == pytest.approx(metric(one[at], two[at])), metric.name


def metric_threshold(metric: Metric) -> tuple[float, ...]:
    return () if metric.threshold is None else (metric.threshold,)


def mine(y: np.ndarray, p: np.ndarray, rows: pd.DataFrame) -> float:
    return float(np.abs(y - p)[rows["city"].to_numpy() == "Rome"].mean())


def test_a_function_of_your_own_is_given_the_columns_that_it_names() -> None:
    metric, rome = Metric(mine, greater_is_better=False, columns="city"), (ROWS["city"] == "Rome").to_numpy()
    assert metric.columns == ("city",)
    assert metric.on(ROWS)(VALUES, GUESSES) == pytest.approx(np.abs(VALUES - GUESSES)[rome].mean())
    some = rng.random(N) < 0.5
    for rows in (some, np.flatnonzero(some)[::-1], slice(20, 100)):
        expected = np.abs(VALUES - GUESSES)[rows][rome[rows]].mean()
        assert metric.on(ROWS).take(rows)(VALUES[rows], GUESSES[rows]) == pytest.approx(expected)
    assert metric.on(ROWS) == metric and hash(metric.on(ROWS)) == hash(metric)
    assert metric.on(ROWS).identity() == metric.identity() and mae.on(ROWS) is mae and mae.take(some) is mae


@pytest.mark.parametrize(
    "metric", [by_group(roc_auc, "city"), by_group(f1, "city"), row_weighted(f1, "share")], ids=str
)
def test_a_resample_is_the_score_of_the_drawn_rows(metric: Metric) -> None:
    draws = resampled(metric.on(ROWS), YES, [P], 5, seed=3)[:, 0]
    generator = np.random.default_rng(3)
    for value in draws:
        rows = np.sort(generator.integers(0, N, N))
        assert value == pytest.approx(metric.on(ROWS).take(rows)(YES[rows], P[rows]))


def test_a_group_that_is_drawn_twice_counts_twice_and_stays_one_list() -> None:
    query = np.repeat(np.arange(40), 6)
    metric, each = by_group(ndcg_at(3), "query").on(pd.DataFrame({"query": query})), []
    each = np.array([ndcg_at(3)(YES[query == q], P[query == q]) for q in range(40)])
    draws = resampled(metric, YES, [P], 20, seed=1, groups=query)[:, 0]
    generator = np.random.default_rng(1)
    assert draws == pytest.approx([each[generator.integers(0, 40, 40)].mean() for _ in draws])
    interval = bootstrap(metric, YES, P, rounds=50, groups=query)
    assert interval.low < interval.value < interval.high


def test_names_and_sentences() -> None:
    for metric in (
        by_group(f1, "city"), by_group(f1.at(0.3), "city", "year", weights="rows"), row_weighted(rmse, "my weight"),
        by_group(row_weighted(mae, "w"), "it's"), by_group(rmse, "city", weights={"Oslo": 2.0, "Rome": 1.0}),
    ):  # fmt: skip
        assert metric_named(metric.name) == metric and metric.identity() == metric.name
    assert by_group(f1.at(0.3), "city").name == "by_group(f1,'city')@0.3"
    assert by_group(f1, "city").at(0.3).on(ROWS)(YES, P) == pytest.approx(naive(f1.at(0.3), YES, P).mean())
    for faulty, sentence in [
        (lambda: by_group(rmse, "city")(YES, P), "it reads 'city' of the rows; give it their frame: metric.on"),
        (lambda: by_group(rmse, "citi").on(ROWS), "reads column 'citi' of the rows, which they do not have; did you mean 'city'"),
        (lambda: by_group(rmse, "city").on(ROWS)(YES[:5], P[:5]), "5 rows of labels but 240 rows of 'city'"),
        (lambda: by_group(rmse), r"by_group\(rmse\): name the columns"),
        (lambda: by_group(rmse, "city", weights="size"), "weights = 'size'; give \"equal\", \"rows\", or a weight"),
        (lambda: by_group(rmse, "city", weights={"Oslo": -1}), "weights are numbers from 0, not all of them 0"),
        (lambda: by_group(rmse, "city", weights={"Oslo": 1}).on(ROWS)(YES, P), "of city has no weight"),
        (lambda: by_group(log_loss, "city").on(ROWS)(YES, P + 7), r"by_group\(log_loss,'city'\): predictions must be"),
        (lambda: row_weighted(roc_auc, "weight"), r"row_weighted\(roc_auc\): it is no score of sums over rows"),
        (lambda: row_weighted(mae, "city").on(ROWS)(YES, P), "column 'city' holds weights, which must be numbers"),
        (lambda: row_weighted(mae, "w").on(pd.DataFrame({"w": YES - 1}))(YES, P), "numbers from 0; it has -1"),
        (lambda: metric_named("by_group(rmse,city)"), "unknown metric 'city'"),
        (lambda: metric_named("by_group(rmse,'city',mean=3)"), "unexpected keyword argument 'mean'"),
    ]:  # fmt: skip
        with pytest.raises(KitError, match=sentence):
            faulty()

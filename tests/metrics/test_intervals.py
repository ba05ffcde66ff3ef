"""Intervals: fast scores of resamples are the metric's own, and the percentiles mean what they say."""

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.metrics import METRICS, Metric, accuracy, f1, log_loss, mae, mcc, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from kit.metrics.bootstrap import resample_counts, resample_scorer
from kit.metrics.intervals import bootstrap, paired, resampled
from tests.helpers.metrics import classes, naive, rows

value_mean = Metric(lambda y, p: float((p - y).mean()), "mean", greater_is_better=True)


# ---- fast scores -------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [0, 1, 9])  # 0 and 1: nothing but ties, many ties
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(4))
def test_auc_of_resamples_is_exact(digits: int, dtype: type, seed: int) -> None:
    y, p = rows(60, 3, seed, digits)
    p = p.astype(dtype)
    counts = np.concatenate(list(resample_counts(60, 40, seed)), axis=1)
    np.testing.assert_allclose(
        resample_scorer(mean_roc_auc, y, p)(counts), naive(mean_roc_auc, y, p, counts), rtol=1e-15
    )
    one = resample_scorer(roc_auc, y[:, 0], p[:, 0])(counts)
    assert one.tolist() == naive(roc_auc, y[:, 0], p[:, 0], counts)


def test_auc_of_a_resample_with_one_class_is_nan_and_its_column_is_left_out() -> None:
    y, p = rows(12, 2)
    y[:, 0] = 0
    y[3, 0] = 1  # often not drawn
    counts = np.concatenate(list(resample_counts(12, 60, 0)), axis=1)
    expected = naive(mean_roc_auc, y, p, counts)
    np.testing.assert_allclose(resample_scorer(mean_roc_auc, y, p)(counts), expected, rtol=1e-15)
    alone = resample_scorer(roc_auc, y[:, 0], p[:, 0])(counts)
    assert 0 < np.isnan(alone).sum() < 60
    np.testing.assert_array_equal(alone, naive(roc_auc, y[:, 0], p[:, 0], counts))


@pytest.mark.parametrize("metric", [log_loss, rmse, mae, accuracy, f1, mcc, f1.at(0.3), value_mean], ids=str)
@pytest.mark.parametrize("columns", [1, 3])
def test_sums_over_rows_score_as_the_metric_does(metric: Metric, columns: int) -> None:
    y, p = rows(70, columns)
    counts = np.concatenate(list(resample_counts(70, 30, 1)), axis=1)
    np.testing.assert_allclose(
        resample_scorer(metric, y, p)(counts), naive(metric, y, p, counts), rtol=1e-12, atol=1e-14
    )
    single = p.astype(np.float32)  # how the bank keeps them; log loss clips by the width
    np.testing.assert_allclose(resample_scorer(metric, y, single)(counts), naive(metric, y, single, counts), rtol=1e-5)


@pytest.mark.parametrize("metric", [log_loss, accuracy, mcc, quadratic_kappa], ids=str)
def test_class_indices_score_as_the_metric_does(metric: Metric) -> None:
    y, p = classes(70)
    counts = np.concatenate(list(resample_counts(70, 30, 1)), axis=1)
    np.testing.assert_allclose(
        resample_scorer(metric, y, p)(counts), naive(metric, y, p, counts), rtol=1e-12, atol=1e-14
    )
    assert resample_scorer(metric, y[:, 0], p)(counts).tolist() == resample_scorer(metric, y, p)(counts).tolist()


def test_kappa_of_values_and_of_a_single_grade() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, (9, 1)).astype(float)
    y[1:] = 2  # many resamples see one grade alone
    p = y + rng.normal(0, 1, y.shape)
    counts = np.concatenate(list(resample_counts(9, 50, 0)), axis=1)
    found = resample_scorer(quadratic_kappa, y, p)(counts)
    assert 0 < np.isnan(found).sum() < 50
    np.testing.assert_allclose(found, naive(quadratic_kappa, y, p, counts), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS.values(), ids=str)
def test_every_metric_has_its_intervals(metric: Metric) -> None:
    y, p = rows(50)
    found = bootstrap(metric, y, p, rounds=50)
    assert found.value == metric(y, p) and found.low <= found.value <= found.high and found.low < found.high


def test_resamples_are_the_same_however_many_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = rows(50)
    before = resampled(log_loss, y, [p, p**2], 20, seed=3)
    assert before.shape == (20, 2)
    monkeypatch.setattr("kit.metrics.bootstrap.CELLS", 150)
    np.testing.assert_allclose(resampled(log_loss, y, [p, p**2], 20, seed=3), before, rtol=1e-13)
    assert not np.allclose(resampled(log_loss, y, [p, p**2], 20, seed=4), before)


# ---- what the percentiles mean -----------------------------------------------------------------


def test_the_spread_is_the_means_standard_error() -> None:
    rng = np.random.default_rng(0)
    y, p = np.zeros((400, 1)), rng.normal(2, 3, (400, 1))
    error = p.std() / np.sqrt(400)  # closed form
    scores = resampled(value_mean, y, [p], 4000)[:, 0]
    assert scores.std() == pytest.approx(error, rel=0.04)
    found = bootstrap(value_mean, y, p, 4000)
    assert found.value == pytest.approx(p.mean())
    assert (found.low, found.high) == pytest.approx((p.mean() - 1.96 * error, p.mean() + 1.96 * error), abs=error / 8)
    narrow = bootstrap(value_mean, y, p, 4000, level=0.68)
    assert narrow.high - narrow.low == pytest.approx(2 * error, rel=0.06)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(200):
        p = np.random.default_rng(seed).normal(0.7, 1, (60, 1))
        found = bootstrap(mae, np.zeros((60, 1)), np.abs(p), 200, level=0.9, seed=seed)
        truth = 0.7 * (2 * 0.7580363478 - 1) + 2 * 0.3122539334  # mean of |N(0.7, 1)|: μ(2Φ(μ) - 1) + 2φ(μ)
        inside += found.low <= truth <= found.high
    assert 0.83 <= inside / 200 <= 0.95


def test_a_paired_interval_covers_the_true_difference() -> None:
    inside = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        y, shared = rng.normal(size=(80, 1)), rng.normal(size=(80, 1))
        a, b = y + shared + rng.normal(0, 0.1, y.shape), y + shared + rng.normal(0, 0.1, y.shape)  # equally good
        inside += (found := paired(rmse, y, a, b, 200, level=0.9, seed=seed)).low <= 0 <= found.high
    assert 0.82 <= inside / 150 <= 0.96


def test_what_members_share_does_not_widen_a_paired_interval() -> None:
    rng = np.random.default_rng(0)
    y, shared = rng.normal(size=(300, 1)), rng.normal(size=(300, 1))
    a, b = y + shared, y + 1.05 * shared
    found = paired(rmse, y, a, b)
    one, other = bootstrap(rmse, y, a), bootstrap(rmse, y, b)
    assert one.high > other.low  # taken each by itself they cannot be told apart
    assert 0 < found.low < found.value < found.high and found.p == pytest.approx(2 / 1001)


@pytest.mark.parametrize("metric", [roc_auc, log_loss, f1], ids=str)
def test_better_is_positive_whichever_way_the_metric_runs(metric: Metric) -> None:
    y, p = rows(200)
    good = 0.8 * y + 0.2 * p
    ahead, behind = paired(metric, y, good, p), paired(metric, y, p, good)
    assert ahead.low > 0 and behind.high < 0
    assert (ahead.value, ahead.p) == (pytest.approx(-behind.value), behind.p)
    assert abs(ahead.value) == pytest.approx(abs(metric(y, good) - metric(y, p)))


def test_nothing_differs_from_itself() -> None:
    y, p = rows(80)
    found = paired(log_loss, y, p, p.copy())
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert str(found) == "+0.00000 [+0.00000, +0.00000]"


def test_p_is_even_where_there_is_no_difference() -> None:
    below = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(60, 1))
        a, b = (y + rng.normal(size=y.shape) for _ in range(2))
        below += paired(mae, y, a, b, 199, seed=seed).p <= 0.2
    assert 0.12 <= below / 200 <= 0.3


def test_rows_of_a_group_are_drawn_together() -> None:
    groups = np.repeat(np.arange(25), 4)
    for counts in resample_counts(100, 30, 0, groups):
        assert (counts.reshape(25, 4, -1) == counts.reshape(25, 4, -1)[:, :1]).all()
        assert (counts[::4].sum(axis=0) == 25).all()
    # four copies of each row tell no more than one: grouped, the interval is that of 25 rows
    rng = np.random.default_rng(0)
    p = rng.normal(size=(25, 1))
    y, many = np.zeros((100, 1)), np.repeat(p, 4, axis=0)
    grouped, alone = bootstrap(value_mean, y, many, groups=groups), bootstrap(value_mean, y[:25], p)
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))
    loose = bootstrap(value_mean, y, many)
    assert loose.high - loose.low < 0.7 * (grouped.high - grouped.low)
    assert paired(value_mean, y, many, 0 * many, groups=[f"g{g}" for g in groups]).low == pytest.approx(grouped.low, 1)


def test_groups_keep_the_promise_where_rows_of_a_group_err_alike() -> None:
    """40 groups of 25 rows: drawn row by row, most differences that are none look sure."""
    rng, groups = np.random.default_rng(0), np.repeat(np.arange(40), 25)
    sure = np.zeros(2)
    for _ in range(100):
        y = rng.normal(size=1000)
        a, b = (y + rng.normal(size=40)[groups] for _ in range(2))
        for i, drawn_by in enumerate((None, groups)):
            found = paired(rmse, y, a, b, rounds=200, seed=1, groups=drawn_by)
            sure[i] += found.low > 0 or found.high < 0
    assert sure[0] > 60 and sure[1] <= 12


def test_what_cannot_be_scored_has_no_interval() -> None:
    y, p = np.zeros((20, 1)), np.linspace(0, 1, 20)[:, None]
    found, apart = bootstrap(roc_auc, y, p), paired(roc_auc, y, p, 1 - p)
    assert np.isnan([found.value, found.low, found.high, apart.value, apart.low, apart.high, apart.p]).all()


def test_sentences() -> None:
    y, p = rows(20)
    for wrong, sentence in (
        ({"rounds": 0}, "bootstrap: rounds = 0; draw at least once"),
        ({"level": 95}, "bootstrap: level = 95; give a share between 0 and 1, such as 0.95"),
        ({"groups": np.arange(19)}, "bootstrap: 20 rows, but 19 groups; give each row its own"),
    ):
        with pytest.raises(KitError) as error:
            bootstrap(roc_auc, y, p, **wrong)
        assert str(error.value) == sentence
    with pytest.raises(KitError, match="log_loss: 20 rows of labels but 19 rows of predictions"):
        paired(log_loss, y, p, p[1:])
    assert str(bootstrap(value_mean, 0 * p, 0 * p + 1)) == "1.00000 [1.00000, 1.00000]"

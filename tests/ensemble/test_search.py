"""Scorers: every candidate gets what the metric says of it, whatever the predictions look like."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import KitError
from kit.ensemble import HillClimb
from kit.ensemble.search import Plain, Scorer, near, scorer_for
from kit.metrics import (
    Metric,
    accuracy,
    average_precision,
    balanced_accuracy,
    brier,
    by_group,
    column_weighted,
    f1,
    f_beta,
    log_loss,
    macro_f1,
    mae,
    mcc,
    mean_roc_auc,
    micro_f1,
    ndcg_at,
    pearson,
    quadratic_kappa,
    r2,
    rmse,
    roc_auc,
    row_weighted,
)
from tests.helpers.metrics import own
from tests.helpers.search import bank, labels_for

SHAPES = ["continuous", "tied", "skewed", "signed", "constant", "one far off", "saturated"]


def both(metric: Metric, y: np.ndarray, p: np.ndarray) -> tuple[Scorer, Scorer]:
    quick = scorer_for(metric, y, p, small=0)
    assert type(quick) is not Plain
    return quick, Plain(metric, y, p)


def same(quick: Scorer, plain: Scorer, current: np.ndarray, keep: float, adds: list[float]) -> None:
    members = list(range(len(plain.predictions)))
    a, b = (scorer.scores(current, members, keep, adds) for scorer in (quick, plain))
    if quick.exact:
        np.testing.assert_array_equal(a, b)
    else:
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
        assert all(near(x, z) or np.isnan(x) for x, z in zip(a, b, strict=True))


CASES = [
    (roc_auc, 1),
    (mean_roc_auc, 3),
    (log_loss, 1),
    (log_loss, 3),
    (rmse, 1),
    (rmse, 3),
    (f1, 1),
    (f1.at(0.3), 3),
    (accuracy, 2),
    (quadratic_kappa, 1),
    (mae, 1),
    (mae, 3),
    (mcc, 2),
    (f_beta(2), 1),
    (balanced_accuracy, 2),
    (micro_f1, 3),
    (column_weighted(mean_roc_auc, 1, 0, 2.5), 3),
    (column_weighted(f1, 1, 0, 2.5), 3),
    (ndcg_at(2), 3),
    (own, 1),
    (own, 3),
]


@pytest.mark.parametrize(("metric", "outputs"), CASES, ids=lambda v: str(v))
@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    n=st.integers(2, 90),
    dtype=st.sampled_from([np.float32, np.float64]),
    size=st.integers(0, 4),
    share=st.sampled_from([0.05, 0.3, 0.9]),
    seed=st.integers(0, 10_000),
)
def test_every_candidate_gets_what_the_metric_says(
    metric: Metric, outputs: int, shape: str, n: int, dtype: type, size: int, share: float, seed: int
) -> None:
    if metric is log_loss and shape == "signed":
        shape = "tied"
    p, y = bank(shape, 4, n, outputs, seed).astype(dtype), labels_for(metric, n, outputs, seed, share)
    if metric is quadratic_kappa:
        p *= 3
    current = sum((p[i % 4].astype(float) for i in range(size)), np.zeros((n, outputs)))
    part = 1 / (size + 1)
    same(*both(metric, y, p), current, part, [part] * 4)


@pytest.mark.parametrize(
    "metric", [log_loss, accuracy, quadratic_kappa, macro_f1, balanced_accuracy, mcc, brier, ndcg_at(2)], ids=str
)
@pytest.mark.parametrize("shape", ["continuous", "tied", "saturated"])
def test_classes(metric: Metric, shape: str) -> None:
    for seed in range(10):
        p, y = bank(shape, 4, 70, 4, seed), np.random.default_rng(seed).integers(0, 4, (70, 1)).astype(float)
        same(*both(metric, y, p), p[0] + p[3], 1 / 3, [1 / 3] * 4)


def vote_stats(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """A yes wins the label's share of yes votes, a no the rest: as many kinds of rows as there are shares."""
    return np.where(p >= threshold, y, 1 - y)


by_votes = Metric(name="by_votes", row_stats=vote_stats, greater_is_better=True, needs="label", threshold=0.5)


def test_soft_labels() -> None:
    p, y = bank("saturated", 4, 70, 2, 0), np.random.default_rng(1).random((70, 2))
    for metric in (log_loss, mean_roc_auc, f1, accuracy, mcc, by_votes):
        same(*both(metric, y, p), p[0] + p[1], 1 / 3, [1 / 3] * 4)


@pytest.mark.parametrize(("metric", "outputs"), CASES, ids=lambda v: str(v))
def test_weights_of_a_grid_also_negative_ones(metric: Metric, outputs: int) -> None:
    p, y = bank("continuous", 4, 80, outputs, 3), labels_for(metric, 80, outputs, 3)
    clip = metric is log_loss
    quick, plain = scorer_for(metric, y, p, clip, small=0), Plain(metric, y, p, clip)
    current = p.mean(axis=0)
    same(quick, plain, current, np.nan, [-0.5, -0.1, 0.2, 0.4])
    assert plain.scores(current, [1], np.nan, [-0.5])[0] == (
        metric(y, (1.5 * current - 0.5 * p[1]).clip(0, 1) if clip else 1.5 * current - 0.5 * p[1])
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.95])
def test_many_rows_fill_many_bins_and_blocks(shape: str, share: float) -> None:
    for metric in (mean_roc_auc, rmse, f1) if shape == "signed" else (mean_roc_auc, log_loss, rmse, f1):
        n = 30_011  # no multiple of any block
        p = bank(shape, 2, n, 2, 5).astype(np.float32)
        y = (np.random.default_rng(0).random((n, 2)) < share).astype(float)
        same(*both(metric, y, p), p[0].astype(float), 0.5, [0.5, 0.5])


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 60),
    outputs=st.integers(1, 3),
    offset=st.sampled_from([0.0, 1.0, 1e4]),
    noise=st.sampled_from([1.0, 1e-3, 1e-9]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 10_000),
)
def test_squares_of_known_parts_are_those_of_the_rows(
    n: int, outputs: int, offset: float, noise: float, dtype: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y, error = rng.normal(offset, 1, (n, outputs)), rng.normal(0, noise, (3, n, outputs))
    p = np.stack([y + error[0], y - error[0], y + error[1], y + error[2] + 1]).astype(dtype)  # two cancel each other
    quick, plain = both(rmse, y, p)
    for counts in ([0, 0, 0, 0], [1, 0, 0, 0], [2, 1, 0, 3]):
        parts, size = np.array(counts), sum(counts) + 1
        current = sum((c * m.astype(float) for c, m in zip(counts, p, strict=True)), np.zeros((n, outputs)))
        known = quick.scores(current, [0, 1, 2, 3], 1 / size, [1 / size] * 4, parts)
        np.testing.assert_allclose(known, plain.scores(current, [0, 1, 2, 3], 1 / size, [1 / size] * 4), 1e-12, 1e-14)
    shares = np.array([1.3, 0, -0.3, 0])
    current = 1.3 * p[0].astype(float) - 0.3 * p[2].astype(float)
    known = quick.scores(current, [1, 1, 3], np.nan, [-0.5, 0.4, 0.1], shares)
    np.testing.assert_allclose(known, plain.scores(current, [1, 1, 3], np.nan, [-0.5, 0.4, 0.1]), 1e-12, 1e-14)


def test_auc_where_all_predictions_crowd_into_one_bin() -> None:
    rng = np.random.default_rng(0)
    p = 0.5 + np.round(rng.random((3, 5000, 1)), 3) * 1e-9
    p[:, 0], p[:, 1] = -1e80, 1e80  # a bin of equal width holds all others
    y = (rng.random((5000, 1)) < 0.4).astype(float)
    same(*both(roc_auc, y, p), np.zeros((5000, 1)), 1, [1] * 3)
    p[:, 0], p[:, 1] = 1e-300, 1e80  # so does a bin of bits
    y[:2] = 1
    same(*both(roc_auc, y, p), np.zeros((5000, 1)), 1, [1] * 3)
    p[:] = np.array([0.0, -0.0])[rng.integers(0, 2, p.shape)]
    same(*both(roc_auc, y, p), np.zeros((5000, 1)), 1, [1] * 3)
    assert both(roc_auc, y, p)[0].scores(np.zeros((5000, 1)), [0], 1, [1])[0] == 0.5


def test_auc_skips_columns_of_one_class_and_is_nan_where_there_is_no_other() -> None:
    p, y = bank("continuous", 3, 50, 3, 0), labels_for(mean_roc_auc, 50, 3, 0)
    y[:, 1] = 1
    same(*both(mean_roc_auc, y, p), p[0], 0.5, [0.5] * 3)
    y[:] = 0
    assert np.isnan(both(mean_roc_auc, y, p)[0].scores(p[0], [0, 1], 0.5, [0.5, 0.5])).all()
    assert np.isnan(both(quadratic_kappa, y[:, :1] + 2, p[:, :, :1])[0].scores(p[0, :, :1], [0], 0.5, [0.5])).all()


def test_a_strided_and_a_mapped_bank_give_the_same(tmp_path: Path) -> None:
    p = bank("continuous", 3, 500, 4, 0).astype(np.float32)
    np.save(tmp_path / "bank.npy", p)
    mapped = np.load(tmp_path / "bank.npy", mmap_mode="r")
    for metric in (mean_roc_auc, log_loss, rmse, f1):
        y = labels_for(mean_roc_auc, 500, 4, 0)
        whole = scorer_for(metric, y, p, small=0)
        scores = whole.scores(p[0].astype(float), [0, 1, 2], 0.5, [0.5] * 3)
        again = scorer_for(metric, y, mapped, small=0)
        assert (again.scores(p[0].astype(float), [0, 1, 2], 0.5, [0.5] * 3) == scores).all()
        assert np.shares_memory(again.predictions, mapped)
        part, rest = p[:, ::2, 1:3], y[::2, 1:3]
        same(*both(metric, rest, part), part[0].astype(float), 0.5, [0.5] * 3)


def test_other_metrics_are_called_directly() -> None:
    p, y = bank("continuous", 3, 50, 1, 0), labels_for(f1, 50, 1, 0)
    mine = Metric(lambda y, p: float(np.abs(y - p).max()), "mine", greater_is_better=False)
    for metric in (mine, r2, pearson, average_precision):
        scorer = scorer_for(metric, y, p, small=0)
        assert type(scorer) is Plain
        blend = 0.5 * p[0] + 0.5 * p[2]
        assert scorer.scores(p[0], [2], 0.5, [0.5])[0] == metric(y, blend)


@pytest.mark.parametrize("metric", [mean_roc_auc, rmse, quadratic_kappa, accuracy], ids=str)
def test_a_users_metric_of_probabilities_may_have_a_function_of_kits(metric: Metric) -> None:
    mine = replace(metric, name="mine", needs="probability")
    p, y = bank("continuous", 3, 500, 1, 0), labels_for(f1, 500, 1, 0)
    p = (p - p.min()) / np.ptp(p)
    quick, plain = scorer_for(mine, y, p, clip=True, small=0), Plain(mine, y, p, clip=True)
    add = [-0.5, 0.5, -0.9]  # leaves 0 to 1, where it is cut
    assert (quick.scores(p[0], [0, 1, 2], np.nan, add) == plain.scores(p[0], [0, 1, 2], np.nan, add)).all()
    fitted = HillClimb().fit(p, y, mine)
    assert not any(mine.better(mine(y, one), mine(y, fitted.predict(p))) for one in p)
    assert type(scorer_for(log_loss, y, p, clip=True, small=0)) is not Plain


def test_what_the_kernels_do_not_bear_is_left_to_the_metric() -> None:
    p, y = bank("continuous", 3, 50, 1, 0), labels_for(f1, 50, 1, 0)
    assert type(scorer_for(rmse, y, p * 1e200, small=0)) is Plain
    assert type(scorer_for(quadratic_kappa, y, p * 1e9, small=0)) is Plain
    with pytest.raises(KitError, match="log_loss: predictions must be probabilities; they run from"):
        scorer_for(log_loss, y, p + 1, small=0)
    p[2] += 1
    with pytest.raises(KitError, match="log_loss: predictions must be probabilities; they run from"):
        scorer_for(log_loss, y, p, small=0).scores(0 * p[0], [0, 1, 2], 1, [1] * 3)
    with pytest.raises(KitError, match="log_loss: predictions must be probabilities; they run from"):
        scorer_for(log_loss, y, p, clip=True, small=0)
    with pytest.raises(KitError, match="rmse: labels have 2 columns but predictions have 1"):
        scorer_for(rmse, np.zeros((50, 2)), p, small=0)


def test_kernels_compile_where_no_folder_takes_their_code() -> None:
    from kit.ensemble.search.compiled import compiled

    room: dict[str, Any] = {}
    exec("def double(x):\n    return 2 * x", room)  # of no file: numba finds no place to keep its code
    assert compiled(room["double"])(21) == 42


def test_the_search_is_light_until_it_scores() -> None:
    heavy = "import sys, kit.ensemble; print(sorted({'numba', 'sklearn', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("metric", [row_weighted(mae, "w"), row_weighted(f1, "w"), by_group(rmse, "g")], ids=str)
def test_a_metric_that_reads_columns_sees_those_of_each_block_of_rows(metric: Metric) -> None:
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"w": generator.random(40_000), "g": generator.integers(0, 9, 40_000)})
    y, bank = (generator.random((40_000, 1)) < 0.4).astype(float), generator.random((2, 40_000, 1))
    scorer = scorer_for(metric.on(rows), y, bank, small=0)
    scores = scorer.scores(bank[0], [1, 1], 0.4, [0.6, 0.1])
    expected = [metric.on(rows)(y, 0.4 * bank[0] + add * bank[1]) for add in (0.6, 0.1)]
    assert scores == pytest.approx(expected)

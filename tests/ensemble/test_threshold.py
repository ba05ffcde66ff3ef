"""Thresholds: the best cut is the best there is, and nested scores choose it without the rows that they judge."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from kit.ensemble import (
    Auto,
    Blend,
    Calibrated,
    FittedBlend,
    Geometric,
    Greedy,
    Mean,
    OutOfFold,
    PerColumn,
    Stack,
    Trees,
    best_threshold,
    fit_thresholded,
    nested,
)
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.decide.threshold import decide, out_of_fold_thresholds, score_at, takes_threshold
from kit.metrics import Metric, accuracy, balanced_accuracy, column_weighted, f1, f_beta, log_loss, mcc, mean_roc_auc
from tests.helpers.metrics import own


def rows(n: int, columns: int = 1, seed: int = 0, digits: int = 9, noise: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a third says yes, and probabilities that are timid and off centre."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, columns)) < 0.33).astype(float)
    return y, (1 / (1 + np.exp(1.5 - 0.7 * (2 * y - 1 + rng.normal(0, noise, y.shape))))).round(digits)


def every_cut(p: np.ndarray) -> list[float]:
    values = np.unique(p)
    return [values[0], *(values[1:] + values[:-1]) / 2, values[-1] + 1]


def _mistakes(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    return float(((p >= threshold) != (y >= 0.5)).mean())


def _f2(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    said = p >= threshold
    return float(5 * (y * said).sum() / max(4 * y.sum() + said.sum(), 1))


f2 = Metric(_f2, "f2", greater_is_better=True, needs="label", threshold=0.5)
mistakes = Metric(_mistakes, "mistakes", greater_is_better=False, needs="label", threshold=0.5)


@pytest.mark.parametrize("metric", [f1, accuracy, mcc, f2, mistakes, f_beta(2), balanced_accuracy, own], ids=str)
@pytest.mark.parametrize("digits", [1, 9])  # 1: many ties
@pytest.mark.parametrize("seed", range(4))
def test_the_best_cut_against_a_loop_over_all(metric: Metric, digits: int, seed: int) -> None:
    y, p = rows(80, 1, seed, digits)
    (found,) = best_threshold(metric, y, p)
    scores = [metric.at(cut)(y, p) for cut in every_cut(p)]
    best = max(scores) if metric.greater_is_better else min(scores)
    assert metric.at(found)(y, p) == pytest.approx(best, abs=1e-12)
    equals = [cut for cut, score in zip(every_cut(p), scores, strict=True) if abs(score - best) < 1e-12]
    assert found == pytest.approx(min(equals, key=lambda cut: abs(cut - 0.5)))  # and it lies midway
    assert (found,) == best_threshold(metric, y[::-1], p[::-1])


@pytest.mark.parametrize("metric", [f1, accuracy, mcc, f_beta(2), column_weighted(f1, 1, 3), own], ids=str)
def test_one_cut_a_column_against_all_pairs_of_cuts(metric: Metric) -> None:
    y, p = rows(25, 2, seed=3)
    p[:, 1] /= 3  # so that one cut for both would be poor
    found = best_threshold(metric, y, p)
    pairs = itertools.product(every_cut(p[:, 0]), every_cut(p[:, 1]))
    best = (max if metric.greater_is_better else min)(score_at(metric, y, p, pair) for pair in pairs)
    assert score_at(metric, y, p, found) == pytest.approx(best, abs=1e-12)
    for cut in every_cut(p):
        assert metric.better(best, metric.at(cut)(y, p)), "one cut for both columns"


def test_a_scan_of_many_rows_is_a_grid_and_one_cut_for_all_columns() -> None:
    y, p = rows(5000, 2)
    one, other = best_threshold(f2, y, p)
    best = max(f2.at(cut)(y, p) for cut in every_cut(p)[::10])
    assert one == other and f2.at(one)(y, p) > best - 0.002


def test_neighbouring_floats_are_parted() -> None:
    low = np.float64(0.3)
    p = np.array([low, np.nextafter(low, 1)])[:, None]
    assert f1.at(best_threshold(f1, np.array([[0.0], [1.0]]), p)[0])(np.array([[0.0], [1.0]]), p) == 1
    y, p = rows(300)  # as the bank keeps them
    found = best_threshold(f1, y, p.astype(np.float32))
    assert score_at(f1, y, p.astype(np.float32), found) == max(f1.at(c)(y, p) for c in every_cut(p))


def test_where_nothing_can_be_learnt_the_cut_stays_near_the_usual() -> None:
    p = np.array([[0.1], [0.45], [0.6], [0.9]])
    assert best_threshold(f1, np.zeros((4, 1)), p) == (pytest.approx(0.525),)
    assert best_threshold(f1.at(0.2), np.zeros((4, 1)), p) == (pytest.approx(0.275),)
    assert best_threshold(f1, np.ones((4, 1)), p) == (0.1,)  # yes to all
    assert best_threshold(accuracy, np.zeros((4, 1)), p)[0] > 0.9  # no to all


def test_classes_are_decided_by_argmax_and_not_cut() -> None:
    y, p = np.array([[0.0], [1.0], [2.0]]), np.eye(3)
    assert (
        not takes_threshold(accuracy, y, p) and takes_threshold(accuracy, p, p) and not takes_threshold(log_loss, p, p)
    )
    assert fit_thresholded(Mean(), OutOfFold(p[None], y, accuracy)).thresholds == ()


GROWN = Stack(model=Trees(rounds=60, leaves=12, min_leaf=5, l2=0))


# ---- blends ------------------------------------------------------------------------------------


def members(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    y = (np.random.default_rng(seed).random((n, 1)) < 0.33).astype(float)
    rng = np.random.default_rng(seed + 100)
    z = [2 * y - 1 + rng.normal(0, noise, y.shape) for noise in (1.5, 1.6, 4.0)]
    return y, np.stack([1 / (1 + np.exp(2 - 0.5 * each)) for each in z])  # hardly ever 0.5: F1 at 0.5 is near 0


def test_a_blend_seeks_weights_by_auc_and_then_its_threshold(tmp_path: Path) -> None:
    y, p = members(400)
    fitted = fit_thresholded(Greedy(), OutOfFold(p, y, f1, ["a", "b", "c"]))
    by_auc = Greedy().fit(p, y, mean_roc_auc, ["a", "b", "c"])
    assert fitted.weights == by_auc.weights and by_auc.thresholds == ()
    assert fitted.thresholds == best_threshold(f1, y, by_auc.predict(p))
    assert (fitted.predict(p) == by_auc.predict(p)).all()  # probabilities all the same
    assert f1(y, fitted.predict(p)) < 0.1 < 0.5 < score_at(f1, y, fitted.predict(p), fitted.thresholds)
    fitted.save(tmp_path / "weights.json")
    assert FittedBlend.load(tmp_path / "weights.json") == fitted
    assert fit_thresholded(Greedy(), OutOfFold(p, y, log_loss)) == Greedy().fit(p, y, log_loss)


@pytest.mark.parametrize("blend", [GROWN, Auto(choices=(Mean(), GROWN), within=0), Calibrated(blend=GROWN)], ids=str)
def test_what_learns_by_heart_is_cut_where_it_has_not_learnt(blend: Blend) -> None:
    y, p = members(400)
    names, plan = ("a", "b", "c"), np.arange(400) % 4
    fitted = fit_thresholded(blend, OutOfFold(p, y, f1, names, plan))
    named = blend.named(fitted.explanation()["choice"]) if isinstance(blend, Auto) else blend
    said = cross_fitted(named, OutOfFold(p, y, mean_roc_auc, names, plan), "")
    on_learnt = best_threshold(f1, y, fitted.predict(p))
    assert fitted.thresholds == best_threshold(f1, y, said)
    if named == GROWN:
        assert fitted.thresholds != on_learnt
    for alone in (None, np.zeros(400)):  # no folds to be fresh in
        assert fit_thresholded(GROWN, OutOfFold(p, y, f1, names, alone)).thresholds == best_threshold(
            f1, y, GROWN.fit(p, y, mean_roc_auc, names).predict(p)
        )


def test_a_weighted_mean_is_cut_where_it_was_learnt() -> None:
    y, p = members(400)
    y, p, plan = np.hstack([y, y]), np.concatenate([p, p], axis=2), np.arange(400) % 4
    for blend in (Geometric(), PerColumn(blend=Greedy()), Auto(choices=(Mean(), Greedy()))):
        fitted = fit_thresholded(blend, OutOfFold(p, y, f1, plan=plan))
        assert fitted.thresholds == best_threshold(f1, y, fitted.predict(p))


def test_nested_chooses_weights_and_threshold_without_the_scored_fold() -> None:
    y, p = members(300)
    plan = np.arange(300) % 3
    result = nested(Greedy(), OutOfFold(p, y, f1, ["a", "b", "c"], plan))
    assert result is not None
    said = np.empty_like(y)
    for fold in range(3):
        here = plan == fold
        fitted = fit_thresholded(Greedy(), OutOfFold(p[:, ~here], y[~here], f1, ["a", "b", "c"]))
        assert (result.weights[fold], result.thresholds[fold]) == (fitted.weights, fitted.thresholds)
        np.testing.assert_array_equal(result.predictions[here], fitted.predict(p[:, here]))
        said[here] = decide(fitted.predict(p[:, here]), fitted.thresholds)
        assert result.folds[fold] == f1(y[here], said[here])
    assert result.score == f1(y, said)
    assert result.summary()["thresholds"]["1"] == list(result.thresholds[1])
    singles = {}
    for name, member in zip("abc", p, strict=True):  # a single member is cut as honestly
        cuts = out_of_fold_thresholds(f1, y, member, plan)
        singles[name] = f1(y, np.array([[member[i, 0] >= cuts[i % 3][0]] for i in range(300)]))
    assert (result.best, result.best_score) == max(singles.items(), key=lambda pair: pair[1])


def test_a_folds_threshold_does_not_know_its_labels() -> None:
    y, p = members(300)
    plan = np.arange(300) % 3
    flipped = np.where(plan[:, None] == 1, 1 - y, y)
    before, after = (out_of_fold_thresholds(f1, labels, p[0], plan) for labels in (y, flipped))
    assert before[1] == after[1] and before[0] != after[0]
    one, other = (nested(Greedy(), OutOfFold(p, labels, f1, plan=plan)) for labels in (y, flipped))
    assert one is not None and other is not None and one.thresholds[1] == other.thresholds[1]
    assert out_of_fold_thresholds(f1, y, p[0], np.zeros(300)) == {0: (0.5,)}  # no other fold to choose on


def test_the_chosen_threshold_flatters_and_the_nested_one_does_not() -> None:
    flattered, honest = [], []
    for seed in range(20):  # a member that knows nothing: accuracy of fresh rows is 0.5 at any threshold
        rng = np.random.default_rng(seed)
        y, p = (rng.random((60, 1)) < 0.5).astype(float), rng.random((1, 60, 1))
        flattered.append(score_at(accuracy, y, p[0], best_threshold(accuracy, y, p[0])))
        result = nested(Mean(), OutOfFold(p, y, accuracy, plan=np.arange(60) % 5))
        assert result is not None
        honest.append(result.score)
    assert np.mean(flattered) > 0.57 and np.mean(honest) < 0.52

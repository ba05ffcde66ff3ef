"""Blends of rows whose labels are missing in one of several targets."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kit.core.errors import KitError
from kit.ensemble import (
    Auto,
    BetaCalibration,
    Blend,
    Calibrated,
    Greedy,
    HillClimb,
    Isotonic,
    LeastSquares,
    Logistic,
    Mean,
    MultiLayerStack,
    OutOfFold,
    PerColumn,
    PriorShift,
    Simplex,
    Stack,
    Trees,
    best_threshold,
    calibration_error,
    diversity,
    fit_thresholded,
    nested,
)
from kit.ensemble.decide.threshold import decide, score_at
from kit.ensemble.search import scorer_for
from kit.metrics import Metric, f1, log_loss, mean_roc_auc, metric_named, micro_f1, rmse

RNG = np.random.default_rng(0)
N = 240
Y = (RNG.random((N, 2)) < 0.4).astype(float)
P = np.clip(0.5 * Y + RNG.normal(0.25, 0.25, (3, N, 2)), 0.01, 0.99)
HOLED = np.where(RNG.random((N, 2)) < [0.5, 0.2], np.nan, Y)
PLAN = np.arange(N) % 4


def known(j: int) -> np.ndarray:
    return ~np.isnan(HOLED[:, j])


@pytest.mark.parametrize("metric", [mean_roc_auc, log_loss, rmse, f1, metric_named("mae"), metric_named("accuracy"), micro_f1, metric_named("ndcg")])  # fmt: skip
@pytest.mark.parametrize("small", [0, 10**9])
def test_scorers_give_the_metrics_own_scores(metric: Any, small: int) -> None:
    scorer = scorer_for(metric, HOLED, P, small=small)
    current = P[0] + P[1]
    for part in (np.array([1.0, 1, 0]), None):
        scores = scorer.scores(current, [0, 1, 2], 1 / 3, [1 / 3] * 3, part)
        for i, score in enumerate(scores):
            assert score == pytest.approx(metric(HOLED, (current + P[i]) / 3), rel=1e-9)


@pytest.mark.parametrize(
    ("blend", "metric"),
    [
        (Greedy(), mean_roc_auc), (HillClimb(), log_loss), (Simplex(), log_loss), (Simplex(), rmse),
        (Simplex(), mean_roc_auc), (PerColumn(), mean_roc_auc), (Stack(), log_loss), (Stack(model=LeastSquares()), rmse),
        (Stack(model=Trees(min_leaf=5)), log_loss), (Calibrated(method=Isotonic()), log_loss),
        (Calibrated(method=BetaCalibration()), log_loss), (PriorShift(blend=Mean()), log_loss),
        (MultiLayerStack(), log_loss), (Auto(choices=(Mean(), Greedy(), PerColumn())), mean_roc_auc), (Greedy(), f1),
        (Greedy(), micro_f1), (HillClimb(), metric_named("ndcg")), (Simplex(), micro_f1),
    ],
)  # fmt: skip
def test_every_blend_learns_and_is_scored(blend: Blend, metric: Any) -> None:
    found = nested(blend, OutOfFold(P, HOLED, metric, plan=PLAN), rounds=20)
    assert found is not None and np.isfinite(found.predictions).all() and found.interval is not None
    assert np.isfinite([found.score, found.interval.low, found.interval.high, *found.folds.values()]).all()


def test_blends_of_each_target_are_those_of_its_known_rows_alone() -> None:
    for blend, metric in ((PerColumn(blend=Greedy()), log_loss), (Stack(model=Logistic()), log_loss)):
        fitted = blend.fit_oof(OutOfFold(P, HOLED, metric, plan=PLAN)).predict(P)
        for j in range(2):
            alone = OutOfFold(P[:, known(j), j], HOLED[known(j), j], metric, plan=PLAN[known(j)])
            one = blend.blend if isinstance(blend, PerColumn) else blend
            assert np.allclose(fitted[:, j : j + 1], one.fit_oof(alone).predict(P[:, :, j : j + 1]), atol=1e-9)


def test_thresholds_curves_and_diversity_look_at_known_rows() -> None:
    cuts = best_threshold(f1, HOLED, P[0])
    assert cuts == tuple(best_threshold(f1, Y[known(j), j], P[0][known(j), j : j + 1])[0] for j in range(2))
    assert fit_thresholded(Mean(), OutOfFold(P, HOLED, f1, plan=PLAN)).thresholds
    errors = [calibration_error(Y[known(j), j], P[0][known(j), j]) for j in range(2)]
    assert calibration_error(HOLED, P[0]) == pytest.approx(np.mean(errors))
    found = diversity(Mean(), OutOfFold(P, HOLED, log_loss, plan=PLAN))
    cells = ~np.isnan(HOLED)
    assert found.error == pytest.approx(np.mean([((one - Y) ** 2)[cells].mean() for one in P]))
    assert np.isfinite(found.correlation).all()


def test_rows_without_any_label_change_nothing_and_a_target_without_any_is_refused() -> None:
    more = np.concatenate([HOLED, np.full((20, 2), np.nan)])
    wide, plan = np.concatenate([P, RNG.random((3, 20, 2))], axis=1), np.append(PLAN, np.arange(20) % 4)
    for blend in (Greedy(), Simplex(), Stack(), Calibrated()):
        one, two = (
            nested(blend, OutOfFold(p, y, log_loss, plan=folds), rounds=0)
            for p, y, folds in ((P, HOLED, PLAN), (wide, more, plan))
        )
        assert one is not None and two is not None and one.score == pytest.approx(two.score, abs=1e-9)
    with pytest.raises(KitError, match="NaN or infinite labels"):
        OutOfFold(P, np.where([True, False], np.nan, Y), log_loss)
    worst = Metric(lambda y, p: float(np.abs(y - p).max()), "worst", greater_is_better=False)
    with pytest.raises(KitError, match="worst: labels are missing"):
        Greedy().fit_oof(OutOfFold(P, HOLED, worst, plan=PLAN))


def test_a_metric_of_all_targets_together_is_blended_over_known_labels() -> None:
    oof = OutOfFold(P, HOLED, micro_f1, plan=PLAN)
    honest = nested(Greedy(), oof, rounds=0)
    assert honest is not None and 0 < honest.score <= 1
    blended = fit_thresholded(Greedy(), oof)
    cells = ~np.isnan(HOLED)
    decided = decide(blended.predict(P), blended.thresholds)
    assert score_at(micro_f1, HOLED, blended.predict(P), blended.thresholds) == pytest.approx(
        f1_score(HOLED[cells], decided[cells])
    )

"""Folds in time, whose weights come from earlier ones alone, and how many folds a blend takes."""

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.ensemble import (
    Auto,
    Blend,
    Calibrated,
    Greedy,
    Mean,
    MultiLayerStack,
    OutOfFold,
    PerColumn,
    Power,
    PriorShift,
    RankMean,
    Stack,
    nested,
    scaled_ranks,
)
from kit.ensemble.decide.threshold import best_threshold, decide_folds, out_of_fold_thresholds
from kit.metrics import f1, log_loss, roc_auc
from tests.helpers.blends import bank


def test_ordered_folds_learn_from_earlier_ones_alone() -> None:
    y, p, plan = bank([0.8, 3, 3])
    found = nested(Greedy(), OutOfFold(p, y, log_loss, plan=plan, ordered=True), rounds=0)
    assert found is not None and found.equally_weighted == (0,)
    np.testing.assert_allclose(found.predictions[plan == 0], p[:, plan == 0].mean(axis=0))
    for fold in range(1, 5):
        here, before = plan == fold, plan < fold
        fitted = Greedy().fit(p[:, before], y[before], log_loss)
        np.testing.assert_array_equal(found.predictions[here], fitted.predict(p[:, here]))
    assert found.summary()["note"] == (
        "weights are learnt on earlier folds only; fold 0 has equal weights, as it has too few earlier folds"
    )
    future = np.where(plan[:, None] >= 3, 1 - y, y)  # what is later changes nothing that was said before
    again = nested(Greedy(), OutOfFold(p, future, log_loss, plan=plan, ordered=True), rounds=0)
    assert again is not None
    np.testing.assert_array_equal(again.predictions[plan <= 3], found.predictions[plan <= 3])
    usual = nested(Greedy(), OutOfFold(p, y, log_loss, plan=plan), rounds=0)
    assert usual is not None and "note" not in usual.summary() and usual.equally_weighted == ()


def test_ordered_folds_with_thresholds_and_blends_that_read_no_labels() -> None:
    y, p, plan = bank([0.8, 3])
    found = nested(Greedy(), OutOfFold(p, y, f1, plan=plan, ordered=True), rounds=0)
    assert found is not None and found.thresholds[0] == (f1.threshold,)
    cuts = out_of_fold_thresholds(f1, y, found.predictions, plan)
    assert found.thresholds[4] != (f1.threshold,) and set(cuts) == set(found.thresholds)
    single = p[int(found.best)]
    earlier = {f: best_threshold(f1, y[plan < f], single[plan < f]) for f in range(1, 5)} | {0: (f1.threshold,)}
    decided, said = decide_folds(f1, single, plan, earlier)  # type: ignore[arg-type]
    assert found.best_score == decided(y, said)
    ranks = nested(RankMean(), OutOfFold(p, y, roc_auc, plan=plan, ordered=True), rounds=0)
    assert ranks is not None and ranks.equally_weighted == () and ranks.summary()["note"].endswith("earlier folds only")
    here = plan == 0
    np.testing.assert_array_equal(ranks.predictions[here], scaled_ranks(p[:, here]).mean(axis=0))


def test_ordered_layers_wait_for_folds_enough_and_scales_become_ranks() -> None:
    y, p, plan = bank([0.8, 3])
    layers = MultiLayerStack(first=(Mean(), Stack()), last=Mean())
    found = nested(layers, OutOfFold(p, y, roc_auc, plan=plan, ordered=True), rounds=0)
    assert found is not None and found.equally_weighted == (0, 1)
    for fold in range(5):
        here, before = plan == fold, plan < fold
        joined = p[:, here].mean(axis=0)
        if fold > 1:
            joined = layers.fit(p[:, before], y[before], roc_auc, plan=plan[before]).predict(p[:, here])
        np.testing.assert_allclose(found.predictions[here], scaled_ranks(joined))


# ---- how many folds ------------------------------------------------------------------------------

DEEP = MultiLayerStack(first=(Calibrated(), Mean()), last=Calibrated())


@pytest.mark.parametrize(
    ("blend", "needed"),
    [(Mean(), 0), (PerColumn(blend=Power()), 0), (Greedy(), 1), (Auto(), 1), (Calibrated(), 2), (Calibrated(blend=Mean()), 2),
     (MultiLayerStack(), 2), (PriorShift(blend=Calibrated()), 2), (DEEP, 3), (MultiLayerStack(first=(Mean(),), last=Calibrated()), 2)],
    ids=str,
)  # fmt: skip
def test_folds_needed_are_the_fewest_that_fit_takes(blend: Blend, needed: int) -> None:
    assert blend.folds_needed == needed
    if needed < 2:
        return
    y, p, _ = bank([1, 2], n=120)
    blend.fit(p, y, log_loss, plan=np.arange(120) % needed)
    with pytest.raises(KitError, match="learns from out-of-fold predictions"):
        blend.fit(p, y, log_loss, plan=np.arange(120) % (needed - 1))
    assert nested(blend, OutOfFold(p, y, log_loss, plan=np.arange(120) % (needed + 1)), rounds=0) is not None
    with pytest.raises(KitError, match="learns from out-of-fold predictions"):
        nested(blend, OutOfFold(p, y, log_loss, plan=np.arange(120) % needed), rounds=0)

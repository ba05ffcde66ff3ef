"""Calibrated: blends whose curves are learnt out of fold, and scores that stay honest."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kit.ensemble
from competitions.toxic.recipe import Toxic
from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.ensemble import (
    BetaCalibration,
    Blend,
    Calibrated,
    Calibration,
    FittedBlend,
    Greedy,
    Isotonic,
    Mean,
    MultiLayerStack,
    OutOfFold,
    PlattScaling,
    PriorShift,
    Stack,
    TemperatureScaling,
    VectorScaling,
    calibration_error,
)
from kit.ensemble.thresholded import fit_thresholded
from kit.metrics import accuracy, f1, log_loss, mean_roc_auc, rmse
from tests.helpers.blends import ALL, Remembers, classes, distorted, name_of, odds, sigmoid, softmax, truth

nested = partial(kit.ensemble.nested, rounds=0)  # no intervals


@pytest.mark.parametrize("method", ALL, ids=name_of)
def test_calibration_pays_on_fresh_rows(method: Calibration) -> None:
    p, y = distorted(3000)
    old, fresh = slice(0, 1000), slice(1000, None)
    plain = Mean().fit(p[:, old], y[old], log_loss)
    fitted = Calibrated(blend=Mean(), method=method).fit(p[:, old], y[old], log_loss, plan=np.arange(1000) % 5)
    before, after = plain.predict(p[:, fresh]), fitted.predict(p[:, fresh])
    assert log_loss(y[fresh], after) < log_loss(y[fresh], before) - 0.1
    assert calibration_error(y[fresh], after) < calibration_error(y[fresh], before) / 2
    if not isinstance(method, Isotonic):  # strictly rising: the order is the same
        assert mean_roc_auc(y[fresh], after) == pytest.approx(mean_roc_auc(y[fresh], before), abs=1e-12)
    assert abs(mean_roc_auc(y[fresh], after) - mean_roc_auc(y[fresh], before)) < 0.01
    honest = nested(Calibrated(blend=Mean(), method=method), OutOfFold(p, y, log_loss, plan=np.arange(3000) % 5))
    assert honest is not None and honest.score == pytest.approx(log_loss(y[fresh], after), abs=0.03)


def test_the_curve_is_learnt_out_of_fold() -> None:
    p, y = distorted(200)
    plan, blend = np.arange(200) % 4, Stack(inputs="probability")
    unseen = np.empty((200, 2))
    for fold in range(4):
        here = plan == fold
        unseen[here] = blend.fit(p[:, ~here], y[~here], log_loss).predict(p[:, here])
    fitted = Calibrated(blend=blend, method=BetaCalibration()).fit(p, y, log_loss, plan=plan)
    inner = blend.fit(p, y, log_loss)
    by_hand = [
        BetaCalibration().apply(BetaCalibration().fit(unseen[:, j], y[:, j]), inner.predict(p)[:, j]) for j in range(2)
    ]
    np.testing.assert_array_equal(fitted.predict(p), np.stack(by_hand, axis=1))
    assert fitted.weights == inner.weights


def test_a_blend_that_is_too_sure_of_its_own_rows_is_seen_through() -> None:

    rng = np.random.default_rng(0)
    p, y = rng.random((1, 300, 1)), (rng.random((300, 1)) < 0.5).astype(float)
    fitted: Any = Calibrated(blend=Remembers(), method=PlattScaling()).fit(p, y, log_loss, plan=np.arange(300) % 5)
    assert np.abs(fitted.predict(p) - y.mean()).max() < 0.02  # right on all its rows, and yet not believed
    in_sample = PlattScaling().fit(y[:, 0].clip(0.01, 0.99), y[:, 0])
    assert in_sample["slope"] > 0.5


@pytest.mark.parametrize("method", [*ALL, VectorScaling()], ids=name_of)
def test_classes_are_calibrated_and_sum_to_one(method: Calibration, tmp_path: Path) -> None:
    q, y = classes(3000)
    p = softmax(2.5 * np.log(q) + np.random.default_rng(1).normal(0, 0.3, q.shape))[None]
    old, fresh = slice(0, 1500), slice(1500, None)
    fitted = Calibrated(blend=Mean(), method=method).fit(p[:, old], y[old], log_loss, plan=np.arange(1500) % 3)
    said = fitted.predict(p[:, fresh])
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert log_loss(y[fresh], said) < log_loss(y[fresh], p[0, fresh]) - 0.1
    if isinstance(method, TemperatureScaling):
        assert accuracy(y[fresh], said) == accuracy(y[fresh], p[0, fresh])
    fitted.save(tmp_path / "c.json")
    np.testing.assert_array_equal(FittedBlend.load(tmp_path / "c.json").predict(p[:, fresh]), said)


@pytest.mark.parametrize(
    "blend",
    [Greedy(rounds=3), Stack(), MultiLayerStack(first=(Stack(), Mean()), last=Mean()), Calibrated(blend=Mean())],
    ids=lambda b: type(b).__name__,
)
@pytest.mark.parametrize("method", ALL, ids=name_of)
def test_calibrated_blends_are_saved_and_cut(blend: Blend, method: Calibration, tmp_path: Path) -> None:
    p, y = distorted(160)
    outer = Calibrated(blend=blend, method=method)
    fitted = fit_thresholded(outer, OutOfFold(p, y, f1, ["z", "a"], np.arange(160) % 4))
    assert len(fitted.thresholds) == 2 and list(fitted.weights) == ["z", "a"]
    fitted.save(tmp_path / "c.json")
    again = FittedBlend.load(tmp_path / "c.json")
    assert again == fitted and (again.predict(p) == fitted.predict(p)).all()
    assert json.loads((tmp_path / "c.json").read_text())["method"] == name_of(method)
    honest = nested(outer, OutOfFold(p, y, f1, plan=np.arange(160) % 4))
    assert honest is not None and honest.score > 0.6
    assert Spec.from_dict(outer.to_dict()) == outer


def test_a_target_of_one_label_is_left_as_it_is() -> None:
    p, y = distorted(120)
    y[:, 1] = 0
    for method in ALL:
        fitted = Calibrated(blend=Mean(), method=method).fit(p, y, mean_roc_auc, plan=np.arange(120) % 3)
        np.testing.assert_allclose(fitted.predict(p)[:, 1], p[:, :, 1].mean(axis=0))


def test_soft_labels_are_calibrated_to_their_share() -> None:
    q, _ = truth(4000)
    for method in (TemperatureScaling(), PlattScaling(), BetaCalibration(), Isotonic()):
        bent = method.apply(method.fit(sigmoid(2 * odds(q[:, 0])), q[:, 0]), sigmoid(2 * odds(q[:, 0])))
        assert np.abs(bent - q[:, 0]).mean() < 0.01


def test_what_calibrated_refuses() -> None:
    p, y = distorted(60)
    plan = np.arange(60) % 3
    for blend, metric, folds, sentence in [
        (Calibrated(), rmse, plan, "Calibrated gives probabilities, but rmse scores values"),
        (Calibrated(method=VectorScaling()), log_loss, plan, "Calibrated: VectorScaling calibrates classes; for labels use TemperatureScaling, PlattScaling, Isotonic or BetaCalibration"),
        (Calibrated(), log_loss, None, "Calibrated learns from out-of-fold predictions of the blends inside it, which need the fold number of each row: pass plan"),
    ]:  # fmt: skip
        with pytest.raises(KitError) as error:
            blend.fit(p, y, metric, plan=folds)
        assert str(error.value) == sentence
    with pytest.raises(KitError, match=r"^Calibrated needs probabilities, but Mean gives -\d.* to \d"):
        Calibrated(blend=Mean()).fit(odds(p), y, mean_roc_auc, plan=plan)


def test_settings_in_brackets_are_found() -> None:
    def set_to(text: str) -> Blend:
        return Toxic().override(f"blend={text}").blend

    assert set_to("Calibrated(blend=Greedy,method=betacalibration)") == Calibrated(
        blend=Greedy(), method=BetaCalibration()
    )
    assert set_to("PriorShift(blend=Calibrated(blend=Stack),test_share=(0.3,))") == PriorShift(
        blend=Calibrated(blend=Stack()), test_share=(0.3,)
    )
    assert Toxic(blend=PriorShift()).override("test_share=0.1,0.2").blend == PriorShift(test_share=(0.1, 0.2))

"""Calibration: curves that do what their papers say, and the errors that are left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression

from kit.core.errors import KitError
from kit.ensemble import (
    BetaCalibration,
    Calibration,
    Clip,
    Isotonic,
    PlattScaling,
    TemperatureScaling,
    VectorScaling,
    calibration_error,
    reliability,
)
from tests.helpers.blends import ALL, classes, name_of, odds, sigmoid, softmax, truth

# ---- the curves ----------------------------------------------------------------------------------


def test_each_calibration_finds_the_distortion_that_was_planted() -> None:
    q, y = truth(40000)
    q, y = q[:, 0], y[:, 0]
    hot = sigmoid(2.5 * odds(q))
    assert TemperatureScaling().fit(hot, y)["temperature"] == pytest.approx(2.5, rel=0.03)
    line = PlattScaling().fit(sigmoid((odds(q) + 1) / 0.4), y)
    assert (line["slope"], line["intercept"]) == pytest.approx((0.4, -1), abs=0.03)
    p = np.linspace(0.0005, 0.9995, 200001)  # a beta curve has no inverse to write down: it is inverted on a grid
    known = {"a": 0.5, "b": 1.6, "c": 0.3}
    bent = np.interp(q, BetaCalibration().apply(known, p), p)
    assert BetaCalibration().fit(bent, y) == pytest.approx(known, abs=0.06)


def test_a_calibrated_column_is_left_nearly_as_it_is() -> None:
    q, y = truth(40000, seed=1)
    for calibration in ALL:
        curve = calibration.fit(q[:, 0], y[:, 0])
        assert np.abs(calibration.apply(curve, q[:, 0]) - q[:, 0]).mean() < 0.015, name_of(calibration)


def test_the_identity_is_among_the_curves() -> None:
    q, _ = truth(500)
    same = [
        (TemperatureScaling(), {"temperature": 1.0}),
        (PlattScaling(), {"slope": 1.0, "intercept": 0.0}),
        (BetaCalibration(), {"a": 1.0, "b": 1.0, "c": 0.0}),
    ]
    for calibration, curve in same:
        np.testing.assert_allclose(calibration.apply(curve, q[:, 0]), q[:, 0], atol=1e-12)
    three, _ = classes(500)
    np.testing.assert_allclose(TemperatureScaling().apply({"temperature": 1.0}, three), three, atol=1e-12)
    np.testing.assert_allclose(
        VectorScaling().apply({"slopes": [1.0] * 3, "intercepts": [0.0] * 3}, three), three, atol=1e-12
    )


def test_beta_is_platts_line_where_its_sides_agree() -> None:
    q, _ = truth(300)
    line, beta = {"slope": 0.7, "intercept": -0.2}, {"a": 0.7, "b": 0.7, "c": -0.2}
    np.testing.assert_allclose(BetaCalibration().apply(beta, q), PlattScaling().apply(line, q), rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), temperature=st.floats(0.05, 20))
def test_a_temperature_keeps_every_order(seed: int, temperature: float) -> None:
    q, _ = truth(60, seed)
    three, _ = classes(60, seed)
    curve = {"temperature": temperature}
    assert (np.diff(TemperatureScaling().apply(curve, np.sort(q[:, 0]))) >= 0).all()
    assert (TemperatureScaling().apply(curve, three).argmax(axis=1) == three.argmax(axis=1)).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), calibration=st.sampled_from(ALL))
def test_curves_rise_and_stay_within_0_and_1(seed: int, calibration: Calibration) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.random(40).round(1), np.r_[0, 1, (rng.random(38) < 0.4).astype(float)]  # ties, both labels, no relation
    if isinstance(calibration, PlattScaling):
        y = np.r_[0, 1, (rng.random(38) < 0.2 + 0.6 * p[2:]).astype(float)]
    bent = calibration.apply(calibration.fit(p, y), np.linspace(0, 1, 50))
    assert bent.min() >= 0 and bent.max() <= 1
    assert isinstance(calibration, PlattScaling) or (np.diff(bent) >= -1e-12).all()


def test_isotonic_is_scikit_learns_and_never_certain() -> None:
    q, y = truth(300)
    p = q[:, 0].round(2)
    curve = Isotonic().fit(p, y[:, 0])
    bent, edge = Isotonic().apply(curve, p), 1 / 302
    known = IsotonicRegression(y_min=0, y_max=1).fit(p, y[:, 0]).predict(p)
    np.testing.assert_allclose(bent, known.clip(edge, 1 - edge), atol=1e-12)
    assert known.min() == 0 and bent.min() == edge


def test_platts_targets_keep_parted_labels_from_certainty() -> None:
    p, y = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0, 1, 1])
    bent = PlattScaling().apply(PlattScaling().fit(p, y), p)
    z, t = odds(p), np.where(y == 1, 3 / 4, 1 / 4)  # his equation for the targets; at the optimum the gradient is 0
    np.testing.assert_allclose([(bent - t).sum(), (bent - t) @ z], 0, atol=1e-5)


def test_beta_leaves_out_a_side_that_would_fall() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.02, 0.98, 5000)
    falling = (rng.random(5000) < sigmoid(odds(1 - p))).astype(float)  # the higher, the rarer
    assert BetaCalibration().fit(p, falling) == {
        "a": 0,
        "b": 0,
        "c": pytest.approx(odds(falling.mean(keepdims=True))[0]),
    }
    humped = (rng.random(5000) < sigmoid(2 * np.log(p) + 1.5 * np.log1p(-p) + 2)).astype(float)
    curve = BetaCalibration().fit(p, humped)
    assert curve["a"] > 0 and curve["b"] == 0


def test_classes_have_a_temperature_or_a_vector() -> None:
    q, y = classes(30000)
    assert TemperatureScaling().fit(softmax(3 * np.log(q)), y[:, 0])["temperature"] == pytest.approx(3, rel=0.03)
    slopes, offset = np.array([2, 0.5, 1]), np.array([0.5, -0.3, -0.2])
    meant = softmax(slopes * np.log(q) + offset)
    drawn = (np.random.default_rng(2).random((30000, 1)) > meant.cumsum(axis=1)[:, :2]).sum(axis=1)
    curve = VectorScaling().fit(q, drawn.astype(float))
    assert curve["intercepts"] == pytest.approx(list(offset), abs=0.06)
    assert curve["slopes"] == pytest.approx(list(slopes), abs=0.06)


# ---- calibration error ---------------------------------------------------------------------------


def test_calibration_error_against_scikit_learns_bins() -> None:
    q, y = truth(2000)
    p = q[:, 0] ** 1.5
    came, said = calibration_curve(y[:, 0], p, n_bins=10)
    mine, seen, rows = reliability(y[:, 0], p, bins=10)
    np.testing.assert_allclose(mine, said)
    np.testing.assert_allclose(seen, came)
    assert rows.sum() == 2000
    assert calibration_error(y, p, bins=10) == pytest.approx(rows @ np.abs(said - came) / 2000)
    _, _, even = reliability(y[:, 0], p, bins=10, by="count")
    assert even.tolist() == [200] * 10


def test_reliability_by_hand() -> None:
    y, p = np.array([0, 1, 1, 1, 0, 1.0]), np.array([0.05, 0.05, 0.95, 1.0, 0.5, 0.55])
    said, seen, count = reliability(y, p, bins=10)
    np.testing.assert_allclose(said, [0.05, 0.525, 0.975])
    np.testing.assert_allclose(seen, [0.5, 0.5, 1.0])
    assert count.tolist() == [2, 2, 2]
    values = reliability(10 * y, 100 * p - 50, bins=3, by="count")
    assert values[2].sum() == 6 and (np.diff(values[0]) > 0).all()


def test_calibration_error_by_hand() -> None:
    assert calibration_error(
        np.array([[1], [0], [1], [1]]), np.array([[0.8], [0.8], [0.9], [0.1]]), bins=4
    ) == pytest.approx((abs(2.5 - 2) + abs(0.1 - 1)) / 4)
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]])  # the likeliest class: 0.7 twice, once right
    assert calibration_error(np.array([[0], [2]]), p) == pytest.approx(0.2)
    assert calibration_error(np.ones((1, 2)), np.array([[1.0, 0.5]])) == 0.25  # a mean over columns
    with pytest.raises(KitError, match=r"^calibration error: predictions must be probabilities; they run from 0 to 2$"):
        calibration_error(np.ones((2, 1)), np.array([[0], [2]]))
    with pytest.raises(KitError, match=r"^calibration error: labels have shape \(2, 2\), but predictions \(2, 3\)$"):
        calibration_error(np.ones((2, 2)), np.ones((2, 3)))


def test_clip_is_the_bound_of_lowest_loss_with_one_more_wrong_row() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.5).astype(float)
    p = np.where(rng.random(400) < 0.97, y, 1 - y)  # sure, and wrong in 3 %
    wrong = int((p != y).sum())
    assert Clip().fit(p, y)["bound"] == pytest.approx((wrong + 1) / 401, rel=0.03)
    assert Clip().fit(y, y)["bound"] == pytest.approx(1 / 401, rel=0.03)  # the rule of succession
    classes_ = np.column_stack([1 - p, p])
    assert Clip().fit(classes_, y) == Clip().fit(p, y)
    bounded = Clip().apply({"bound": 0.1}, classes_)
    np.testing.assert_allclose(bounded, classes_.clip(0.1, 0.9))
    assert Clip().apply({"bound": 0.1}, np.array([0.0, 0.3, 1.0])).tolist() == [0.1, 0.3, 0.9]
    soft = np.clip(p * 0.9 + 0.05, 0.05, 0.95)
    assert Clip().fit(soft, y)["bound"] < 0.06  # what is timid enough is left as it is

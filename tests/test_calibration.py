"""Calibration: curves that do what their papers say, and the errors that are left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression

from kit.ensemble import (
    Beta,
    Calibration,
    Isotonic,
    Platt,
    Temperature,
    Vector,
    calibration_error,
    reliability,
)
from kit.spec import KitError

ALL: list[Calibration] = [Temperature(), Platt(), Isotonic(), Beta()]


def name_of(calibration: Calibration) -> str:
    return type(calibration).__name__


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def odds(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def truth(n: int, seed: int = 0, columns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """True probabilities (n, columns) and labels drawn from them."""
    rng = np.random.default_rng(seed)
    q = sigmoid(rng.normal(-0.5, 1.5, (n, columns)))
    return q, (rng.random(q.shape) < q).astype(float)


def classes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True probabilities (n, 3) of classes, and labels (n, 1) drawn from them."""
    rng = np.random.default_rng(seed)
    q = softmax(rng.normal(0, 1.2, (n, 3)))
    return q, (rng.random((n, 1)) > q.cumsum(axis=1)[:, :2]).sum(axis=1, keepdims=True).astype(float)


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


# ---- the curves ----------------------------------------------------------------------------------


def test_each_calibration_finds_the_distortion_that_was_planted() -> None:
    q, y = truth(40000)
    q, y = q[:, 0], y[:, 0]
    hot = sigmoid(2.5 * odds(q))
    assert Temperature().fit(hot, y)["temperature"] == pytest.approx(2.5, rel=0.03)
    line = Platt().fit(sigmoid((odds(q) + 1) / 0.4), y)
    assert (line["slope"], line["intercept"]) == pytest.approx((0.4, -1), abs=0.03)
    p = np.linspace(0.0005, 0.9995, 200001)  # a beta curve has no inverse to write down: it is inverted on a grid
    known = {"a": 0.5, "b": 1.6, "c": 0.3}
    bent = np.interp(q, Beta().bend(known, p), p)
    assert Beta().fit(bent, y) == pytest.approx(known, abs=0.06)


def test_a_calibrated_column_is_left_nearly_as_it_is() -> None:
    q, y = truth(40000, seed=1)
    for calibration in ALL:
        curve = calibration.fit(q[:, 0], y[:, 0])
        assert np.abs(calibration.bend(curve, q[:, 0]) - q[:, 0]).mean() < 0.015, name_of(calibration)


def test_the_identity_is_among_the_curves() -> None:
    q, _ = truth(500)
    same = [
        (Temperature(), {"temperature": 1.0}),
        (Platt(), {"slope": 1.0, "intercept": 0.0}),
        (Beta(), {"a": 1.0, "b": 1.0, "c": 0.0}),
    ]
    for calibration, curve in same:
        np.testing.assert_allclose(calibration.bend(curve, q[:, 0]), q[:, 0], atol=1e-12)
    three, _ = classes(500)
    np.testing.assert_allclose(Temperature().bend({"temperature": 1.0}, three), three, atol=1e-12)
    np.testing.assert_allclose(Vector().bend({"slopes": [1.0] * 3, "intercepts": [0.0] * 3}, three), three, atol=1e-12)


def test_beta_is_platts_line_where_its_sides_agree() -> None:
    q, _ = truth(300)
    line, beta = {"slope": 0.7, "intercept": -0.2}, {"a": 0.7, "b": 0.7, "c": -0.2}
    np.testing.assert_allclose(Beta().bend(beta, q), Platt().bend(line, q), rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), temperature=st.floats(0.05, 20))
def test_a_temperature_keeps_every_order(seed: int, temperature: float) -> None:
    q, _ = truth(60, seed)
    three, _ = classes(60, seed)
    curve = {"temperature": temperature}
    assert (np.diff(Temperature().bend(curve, np.sort(q[:, 0]))) >= 0).all()
    assert (Temperature().bend(curve, three).argmax(axis=1) == three.argmax(axis=1)).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), calibration=st.sampled_from(ALL))
def test_curves_rise_and_stay_within_0_and_1(seed: int, calibration: Calibration) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.random(40).round(1), np.r_[0, 1, (rng.random(38) < 0.4).astype(float)]  # ties, both labels, no relation
    if isinstance(calibration, Platt):
        y = np.r_[0, 1, (rng.random(38) < 0.2 + 0.6 * p[2:]).astype(float)]
    bent = calibration.bend(calibration.fit(p, y), np.linspace(0, 1, 50))
    assert bent.min() >= 0 and bent.max() <= 1
    assert isinstance(calibration, Platt) or (np.diff(bent) >= -1e-12).all()


def test_isotonic_is_scikit_learns_and_never_certain() -> None:
    q, y = truth(300)
    p = q[:, 0].round(2)
    curve = Isotonic().fit(p, y[:, 0])
    bent, edge = Isotonic().bend(curve, p), 1 / 302
    known = IsotonicRegression(y_min=0, y_max=1).fit(p, y[:, 0]).predict(p)
    np.testing.assert_allclose(bent, known.clip(edge, 1 - edge), atol=1e-12)
    assert known.min() == 0 and bent.min() == edge


def test_platts_targets_keep_parted_labels_from_certainty() -> None:
    p, y = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0, 1, 1])
    bent = Platt().bend(Platt().fit(p, y), p)
    z, t = odds(p), np.where(y == 1, 3 / 4, 1 / 4)  # his equation for the targets; at the optimum the gradient is 0
    np.testing.assert_allclose([(bent - t).sum(), (bent - t) @ z], 0, atol=1e-5)


def test_beta_leaves_out_a_side_that_would_fall() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.02, 0.98, 5000)
    falling = (rng.random(5000) < sigmoid(odds(1 - p))).astype(float)  # the higher, the rarer
    assert Beta().fit(p, falling) == {"a": 0, "b": 0, "c": pytest.approx(odds(falling.mean(keepdims=True))[0])}
    humped = (rng.random(5000) < sigmoid(2 * np.log(p) + 1.5 * np.log1p(-p) + 2)).astype(float)
    curve = Beta().fit(p, humped)
    assert curve["a"] > 0 and curve["b"] == 0


def test_classes_have_a_temperature_or_a_vector() -> None:
    q, y = classes(30000)
    assert Temperature().fit(softmax(3 * np.log(q)), y[:, 0])["temperature"] == pytest.approx(3, rel=0.03)
    slopes, offset = np.array([2, 0.5, 1]), np.array([0.5, -0.3, -0.2])
    meant = softmax(slopes * np.log(q) + offset)
    drawn = (np.random.default_rng(2).random((30000, 1)) > meant.cumsum(axis=1)[:, :2]).sum(axis=1)
    curve = Vector().fit(q, drawn.astype(float))
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

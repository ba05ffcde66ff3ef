"""Calibration and prior shift: curves that do what their papers say, and scores that stay honest."""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression

import kit.ensemble
from kit.ensemble import (
    Beta,
    Blend,
    Blended,
    Calibrated,
    Calibration,
    Greedy,
    Isotonic,
    Layers,
    Mean,
    Platt,
    PriorShift,
    Stack,
    Temperature,
    Vector,
    calibration_error,
    reliability,
)
from kit.ensemble.prior import estimated_share, shifted
from kit.ensemble.threshold import fit_thresholded
from kit.metrics import accuracy, f1, log_loss, mean_roc_auc, rmse, roc_auc
from kit.recipe import Recipe
from kit.spec import KitError, Spec

nested = partial(kit.ensemble.nested, rounds=0)  # no intervals
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


# ---- the wrapper ---------------------------------------------------------------------------------


def distorted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two members (2, n, 2) that are right in order and far too sure of themselves, and labels."""
    q, y = truth(n, seed, columns=2)
    noise = np.random.default_rng(seed + 1).normal(0, 0.5, (2, n, 2))
    return sigmoid(3 * odds(q) + noise + 1), y


@pytest.mark.parametrize("method", ALL, ids=name_of)
def test_calibration_pays_on_fresh_rows(method: Calibration) -> None:
    p, y = distorted(3000)
    old, fresh = slice(0, 1000), slice(1000, None)
    plain = Mean().fit(p[:, old], y[old], log_loss)
    blended = Calibrated(blend=Mean(), method=method).fit(p[:, old], y[old], log_loss, plan=np.arange(1000) % 5)
    before, after = plain.apply(p[:, fresh]), blended.apply(p[:, fresh])
    assert log_loss(y[fresh], after) < log_loss(y[fresh], before) - 0.1
    assert calibration_error(y[fresh], after) < calibration_error(y[fresh], before) / 2
    if not isinstance(method, Isotonic):  # strictly rising: the order is the same
        assert mean_roc_auc(y[fresh], after) == pytest.approx(mean_roc_auc(y[fresh], before), abs=1e-12)
    assert abs(mean_roc_auc(y[fresh], after) - mean_roc_auc(y[fresh], before)) < 0.01
    honest = nested(Calibrated(blend=Mean(), method=method), p, y, np.arange(3000) % 5, log_loss)
    assert honest is not None and honest.score == pytest.approx(log_loss(y[fresh], after), abs=0.03)


def test_the_curve_is_learnt_out_of_fold() -> None:
    p, y = distorted(200)
    plan, blend = np.arange(200) % 4, Stack(inputs="probability")
    unseen = np.empty((200, 2))
    for fold in range(4):
        here = plan == fold
        unseen[here] = blend.fit(p[:, ~here], y[~here], log_loss).apply(p[:, here])
    blended = Calibrated(blend=blend, method=Beta()).fit(p, y, log_loss, plan=plan)
    inner = blend.fit(p, y, log_loss)
    by_hand = [Beta().bend(Beta().fit(unseen[:, j], y[:, j]), inner.apply(p)[:, j]) for j in range(2)]
    np.testing.assert_array_equal(blended.apply(p), np.stack(by_hand, axis=1))
    assert blended.weights == inner.weights


def test_a_blend_that_is_too_sure_of_its_own_rows_is_seen_through() -> None:
    from test_stack import Remembers

    rng = np.random.default_rng(0)
    p, y = rng.random((1, 300, 1)), (rng.random((300, 1)) < 0.5).astype(float)
    blended: Any = Calibrated(blend=Remembers(), method=Platt()).fit(p, y, log_loss, plan=np.arange(300) % 5)
    assert np.abs(blended.apply(p) - y.mean()).max() < 0.02  # right on all its rows, and yet not believed
    in_sample = Platt().fit(y[:, 0].clip(0.01, 0.99), y[:, 0])
    assert in_sample["slope"] > 0.5


@pytest.mark.parametrize("method", [*ALL, Vector()], ids=name_of)
def test_classes_are_calibrated_and_sum_to_one(method: Calibration, tmp_path: Path) -> None:
    q, y = classes(3000)
    p = softmax(2.5 * np.log(q) + np.random.default_rng(1).normal(0, 0.3, q.shape))[None]
    old, fresh = slice(0, 1500), slice(1500, None)
    blended = Calibrated(blend=Mean(), method=method).fit(p[:, old], y[old], log_loss, plan=np.arange(1500) % 3)
    said = blended.apply(p[:, fresh])
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert log_loss(y[fresh], said) < log_loss(y[fresh], p[0, fresh]) - 0.1
    if isinstance(method, Temperature):
        assert accuracy(y[fresh], said) == accuracy(y[fresh], p[0, fresh])
    blended.save(tmp_path / "c.json")
    np.testing.assert_array_equal(Blended.load(tmp_path / "c.json").apply(p[:, fresh]), said)


@pytest.mark.parametrize(
    "blend",
    [Greedy(rounds=3), Stack(), Layers(first=(Stack(), Mean()), last=Mean()), Calibrated(blend=Mean())],
    ids=lambda b: type(b).__name__,
)
@pytest.mark.parametrize("method", ALL, ids=name_of)
def test_calibrated_blends_are_saved_and_cut(blend: Blend, method: Calibration, tmp_path: Path) -> None:
    p, y = distorted(160)
    outer = Calibrated(blend=blend, method=method)
    blended = fit_thresholded(outer, p, y, f1, ["z", "a"], np.arange(160) % 4)
    assert len(blended.thresholds) == 2 and list(blended.weights) == ["z", "a"]
    blended.save(tmp_path / "c.json")
    again = Blended.load(tmp_path / "c.json")
    assert again == blended and (again.apply(p) == blended.apply(p)).all()
    assert json.loads((tmp_path / "c.json").read_text())["method"] == name_of(method)
    honest = nested(outer, p, y, np.arange(160) % 4, f1)
    assert honest is not None and honest.score > 0.6
    assert Spec.revive(outer.dump()) == outer


def test_a_target_of_one_label_is_left_as_it_is() -> None:
    p, y = distorted(120)
    y[:, 1] = 0
    for method in ALL:
        blended = Calibrated(blend=Mean(), method=method).fit(p, y, mean_roc_auc, plan=np.arange(120) % 3)
        np.testing.assert_allclose(blended.apply(p)[:, 1], p[:, :, 1].mean(axis=0))


def test_soft_labels_are_calibrated_to_their_share() -> None:
    q, _ = truth(4000)
    for method in (Temperature(), Platt(), Beta(), Isotonic()):
        bent = method.bend(method.fit(sigmoid(2 * odds(q[:, 0])), q[:, 0]), sigmoid(2 * odds(q[:, 0])))
        assert np.abs(bent - q[:, 0]).mean() < 0.01


def test_what_calibrated_refuses() -> None:
    p, y = distorted(60)
    plan = np.arange(60) % 3
    for blend, metric, folds, sentence in [
        (Calibrated(), rmse, plan, "Calibrated gives probabilities, but rmse judges values"),
        (Calibrated(method=Vector()), log_loss, plan, "Calibrated: Vector calibrates classes; for labels use Temperature, Platt, Isotonic or Beta"),
        (Calibrated(), log_loss, None, "Calibrated learns from out-of-fold predictions of the blends inside it, and for these the fold number of each row is missing: pass plan"),
    ]:  # fmt: skip
        with pytest.raises(KitError) as error:
            blend.fit(p, y, metric, plan=folds)
        assert str(error.value) == sentence
    with pytest.raises(KitError, match=r"^Calibrated wants probabilities, but Mean gives -\d.* to \d"):
        Calibrated(blend=Mean()).fit(odds(p), y, mean_roc_auc, plan=plan)


def test_settings_in_brackets_are_found() -> None:
    class Any_(Recipe):
        pass

    def set_to(text: str) -> Blend:
        return Any_().override(f"blend={text}").blend

    assert set_to("Calibrated(blend=Greedy,method=beta)") == Calibrated(blend=Greedy(), method=Beta())
    assert set_to("PriorShift(blend=Calibrated(blend=Stack),test_share=(0.3,))") == PriorShift(
        blend=Calibrated(blend=Stack()), test_share=(0.3,)
    )
    assert Any_(blend=PriorShift()).override("test_share=0.1,0.2").blend == PriorShift(test_share=(0.1, 0.2))


# ---- prior shift ---------------------------------------------------------------------------------


def shift(n: int, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (1, n, 1), right where half the rows are yeses, and labels of which `share` are."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 1)) < share).astype(float)
    x = rng.normal(np.where(y == 1, 1, -1), 1.2)  # equal variances: the log-odds are a line of x
    return sigmoid(2 * x / 1.2**2)[None], y


def test_shifted_is_bayes() -> None:
    p, _ = shift(500, 0.5)
    x = odds(p[0])
    np.testing.assert_allclose(shifted(p[0], np.array([0.5]), np.array([0.1]), False), sigmoid(x + odds(np.array(0.1))))
    q, _ = classes(50)
    known, share = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])
    by_hand = q * share / known
    np.testing.assert_allclose(shifted(q, known, share, True), by_hand / by_hand.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(shifted(q, known, known, True), q)
    unseen = shifted(p[0], np.array([0.0]), np.array([0.3]), False)
    np.testing.assert_allclose(unseen, p[0])  # a label that was never seen: nothing to go by


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_the_share_of_the_test_set_is_estimated(share: float) -> None:
    p, y = shift(20000, share)
    found = estimated_share(p[0], np.array([0.5]), False)
    assert found[0] == pytest.approx(y.mean(), abs=0.012)
    # what the steps end at is the most likely share: no other has a higher likelihood
    ratio = p[0] / 0.5 * found + (1 - p[0]) / 0.5 * (1 - found)
    for other in (found - 0.005, found + 0.005):
        assert np.log(ratio).sum() > np.log(p[0] / 0.5 * other + (1 - p[0]) / 0.5 * (1 - other)).sum()


def test_shares_of_classes_are_estimated() -> None:
    rng = np.random.default_rng(0)
    share = np.array([0.7, 0.1, 0.2])
    y = rng.choice(3, 20000, p=share)
    x = rng.normal(1.5 * np.eye(3)[y], 1)
    assert estimated_share(softmax(1.5 * x), np.full(3, 1 / 3), True) == pytest.approx(share, abs=0.02)


def test_a_known_shift_pays_on_the_test_set_and_leaves_the_folds_alone(tmp_path: Path) -> None:
    (p, y), (asked, answer) = shift(2000, 0.5), shift(20000, 0.1, seed=1)
    plan = np.arange(2000) % 4
    given, found, plain = PriorShift(blend=Mean(), test_share=(0.1,)), PriorShift(blend=Mean()), Mean()
    scores = {}
    for name, blend in {"given": given, "found": found, "plain": plain}.items():
        blended = blend.fit(p, y, log_loss, ["m"], plan)
        scores[name] = log_loss(answer, blended.for_test().apply(asked))
        blended.save(tmp_path / "b.json")
        again = Blended.load(tmp_path / "b.json")
        assert again == blended and (again.for_test().apply(asked) == blended.for_test().apply(asked)).all()
        cut = dataclasses.replace(blended, thresholds=(0.3,))  # type: ignore[type-var]
        assert cut.for_test().thresholds == (0.3,)
    assert scores["given"] < scores["plain"] - 0.1
    assert scores["found"] == pytest.approx(scores["given"], abs=0.002)
    # given shares are a fact about the test set: folds are joined and judged as without them
    blended = given.fit(p, y, log_loss)
    np.testing.assert_array_equal(blended.apply(p), p[0])
    assert (blended.for_test().apply(p) != p[0]).any()
    honest = {
        name: nested(blend, p, y, plan, log_loss)
        for name, blend in {"given": given, "found": found, "plain": plain}.items()
    }
    nested_scores = {name: result.score for name, result in honest.items() if result is not None}
    assert nested_scores["given"] == nested_scores["plain"]
    # an estimate on a fold finds about the shares that were learnt, and costs little
    assert nested_scores["plain"] != nested_scores["found"] == pytest.approx(nested_scores["plain"], abs=0.005)


def test_the_order_of_a_column_stays() -> None:
    (p, y), (asked, answer) = shift(500, 0.5), shift(500, 0.1, seed=1)
    for blend in (PriorShift(blend=Mean()), PriorShift(blend=Mean(), test_share=(0.1,))):
        said = blend.fit(p, y, roc_auc).for_test().apply(asked)
        assert roc_auc(answer, said) == pytest.approx(roc_auc(answer, asked[0]), abs=1e-12)


def test_what_prior_shift_refuses() -> None:
    p, y = distorted(60)
    q, c = classes(60)
    for blend, said, labels, metric, sentence in [
        (PriorShift(), p, y, rmse, "PriorShift corrects probabilities, but rmse judges values"),
        (PriorShift(test_share=(0.3,)), p, y, log_loss, "PriorShift: test_share names 1 shares, but predictions have 2 columns"),
        (PriorShift(test_share=(0.3, 0.3, 0.3)), q[None], c, log_loss, "PriorShift: the shares of the classes sum to 0.9, not to 1"),
        (PriorShift(blend=Mean()), 2 * p, y, mean_roc_auc, "PriorShift corrects probabilities, but Mean gives 2.61537e-05 to 1.99947"),
    ]:  # fmt: skip
        with pytest.raises(KitError) as error:
            blend.fit(said, labels, metric)
        assert str(error.value) == sentence
    with pytest.raises(KitError) as error:
        PriorShift(test_share=(0.3, 1.0))
    assert str(error.value) == "PriorShift: test_share 0.3, 1.0: shares lie between 0 and 1"
    with pytest.raises(KitError) as error:
        Calibrated(blend=PriorShift())
    assert (
        str(error.value)
        == "Calibrated: PriorShift stands outermost, PriorShift(blend=Calibrated(…)), not inside Calibrated"
    )
    with pytest.raises(KitError, match="not inside Layers"):
        Layers(last=PriorShift())

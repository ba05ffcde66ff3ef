"""Prior shift: Bayes' rule with another share of yeses, given or estimated."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import kit.ensemble
from kit.core.errors import KitError
from kit.ensemble import (
    Calibrated,
    FittedBlend,
    Mean,
    MultiLayerStack,
    OutOfFold,
    PriorShift,
)
from kit.ensemble.calibrate.prior import estimated_share, shifted
from kit.metrics import log_loss, mean_roc_auc, rmse, roc_auc
from tests.helpers.blends import classes, distorted, odds, sigmoid, softmax

nested = partial(kit.ensemble.nested, rounds=0)  # no intervals


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
        fitted = blend.fit(p, y, log_loss, ["m"], plan=plan)
        scores[name] = log_loss(answer, fitted.for_test().predict(asked))
        fitted.save(tmp_path / "b.json")
        again = FittedBlend.load(tmp_path / "b.json")
        assert again == fitted and (again.for_test().predict(asked) == fitted.for_test().predict(asked)).all()
        cut = dataclasses.replace(fitted, thresholds=(0.3,))  # type: ignore[type-var]
        assert cut.for_test().thresholds == (0.3,)
    assert scores["given"] < scores["plain"] - 0.1
    assert scores["found"] == pytest.approx(scores["given"], abs=0.002)
    # given shares are a fact about the test set: folds are joined and judged as without them
    fitted = given.fit(p, y, log_loss)
    np.testing.assert_array_equal(fitted.predict(p), p[0])
    assert (fitted.for_test().predict(p) != p[0]).any()
    honest = {
        name: nested(blend, OutOfFold(p, y, log_loss, plan=plan))
        for name, blend in {"given": given, "found": found, "plain": plain}.items()
    }
    nested_scores = {name: result.score for name, result in honest.items() if result is not None}
    assert nested_scores["given"] == nested_scores["plain"]
    # an estimate on a fold finds about the shares that were learnt, and costs little
    assert nested_scores["plain"] != nested_scores["found"] == pytest.approx(nested_scores["plain"], abs=0.005)


def test_the_order_of_a_column_stays() -> None:
    (p, y), (asked, answer) = shift(500, 0.5), shift(500, 0.1, seed=1)
    for blend in (PriorShift(blend=Mean()), PriorShift(blend=Mean(), test_share=(0.1,))):
        said = blend.fit(p, y, roc_auc).for_test().predict(asked)
        assert roc_auc(answer, said) == pytest.approx(roc_auc(answer, asked[0]), abs=1e-12)


def test_what_prior_shift_refuses() -> None:
    p, y = distorted(60)
    q, c = classes(60)
    for blend, said, labels, metric, sentence in [
        (PriorShift(), p, y, rmse, "PriorShift corrects probabilities, but rmse scores values"),
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
    with pytest.raises(KitError, match="not inside MultiLayerStack"):
        MultiLayerStack(last=PriorShift())

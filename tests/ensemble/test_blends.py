"""Means, the simplex and weights per column: what they weigh, against closed forms; and the contract of every blend."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import gmean, hmean, pmean

from competitions.toxic.recipe import Toxic
from kit.core.errors import KitError
from kit.core.spec import Spec, choices
from kit.ensemble import (
    Blend,
    Calibrated,
    Calibration,
    FittedBlend,
    Geometric,
    Greedy,
    Mean,
    MultiLayerStack,
    OutOfFold,
    PerColumn,
    Power,
    PriorShift,
    RankMean,
    SecondLevel,
    Simplex,
    Stack,
    Trees,
    WeightedMean,
    nested,
)
from kit.ensemble.blends.smooth import cross_entropy, on_simplex, pair_loss, root_mean_square, surrogates
from kit.metrics import Metric, accuracy, f1, log_loss, mae, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from tests.helpers.house import ROOT


def labels(n: int, targets: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((n, targets)) < 0.4).astype(float)


def members_for(y: np.ndarray, noise: list[float], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([expit(2 * y - 1 + rng.normal(0, size, y.shape)) for size in noise])


def classes_for(n: int, bold: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, (n, 1)).astype(float)
    logits = rng.normal(0, 1, (len(bold), n, 3)) + np.array(bold)[:, None, None] * np.eye(3)[y[:, 0].astype(int)]
    p = np.exp(logits)
    return y, p / p.sum(axis=-1, keepdims=True)


# ---- geometric and power means -----------------------------------------------------------------


def test_geometric_is_the_mean_of_logits() -> None:
    y = labels(50, 2)
    p = members_for(y, [1, 2, 3])
    np.testing.assert_allclose(Geometric().fit(p, y, log_loss).predict(p), expit(logit(p).mean(axis=0)), rtol=1e-12)


def test_geometric_of_classes_and_of_values() -> None:
    y, p = classes_for(40, [1, 2])
    raw = gmean(p, axis=0)
    joined = Geometric().fit(p, y, log_loss).predict(p)
    np.testing.assert_allclose(joined, raw / raw.sum(axis=1, keepdims=True), rtol=1e-12)
    values = np.random.default_rng(0).random((3, 20, 2)) * 9 + 1
    np.testing.assert_allclose(Geometric().fit(values, values[0], rmse).predict(values), gmean(values, axis=0))


@pytest.mark.parametrize("exponent", [-1.0, 0.5, 1.0, 3.0])
def test_power_is_the_power_mean(exponent: float) -> None:
    y = labels(50, 2)
    p = members_for(y, [1, 2, 3])
    yes, no = pmean(p, exponent, axis=0), pmean(1 - p, exponent, axis=0)
    np.testing.assert_allclose(Power(exponent=exponent).fit(p, y, log_loss).predict(p), yes / (yes + no), rtol=1e-10)
    values = 10 * p
    np.testing.assert_allclose(
        Power(exponent=exponent).fit(values, y, rmse).predict(values), pmean(values, exponent, axis=0), rtol=1e-10
    )
    y, p = classes_for(40, [1, 2])
    raw = pmean(p, exponent, axis=0)
    joined = Power(exponent=exponent).fit(p, y, log_loss).predict(p)
    np.testing.assert_allclose(joined, raw / raw.sum(axis=1, keepdims=True), rtol=1e-10)


def test_power_runs_from_the_harmonic_over_the_geometric_to_the_greatest() -> None:
    values = np.random.default_rng(0).random((4, 30, 1)) * 9 + 1
    joined = {e: Power(exponent=e).fit(values, values[0], rmse).predict(values) for e in (-20, -1, 0, 1e-7, 1, 20)}
    np.testing.assert_allclose(joined[-1], hmean(values, axis=0))
    np.testing.assert_allclose(joined[0], gmean(values, axis=0))
    np.testing.assert_allclose(joined[1e-7], joined[0], rtol=1e-6)
    np.testing.assert_allclose(joined[1], values.mean(axis=0))
    np.testing.assert_allclose(joined[20], values.max(axis=0), rtol=0.08)
    order = [joined[e] for e in (-20, -1, 0, 1, 20)]
    assert all((a < b).all() for a, b in pairwise(order))  # the power mean inequality


def test_certainties_do_not_break_a_mean_of_logarithms() -> None:
    p = np.array([[[0.0], [1.0], [0.0]], [[1.0], [1.0], [0.0]]])
    joined = Geometric().fit(p, np.array([[0.0], [1.0], [0.0]]), roc_auc).predict(p)
    assert joined[0] == pytest.approx(0.5) and joined[1] > 1 - 1e-6 and joined[2] < 1e-6
    zero = np.array([[[0.0], [3.0]], [[4.0], [3.0]]])
    assert Power(exponent=2).fit(zero, zero[0], rmse).predict(zero).ravel().tolist() == pytest.approx([8**0.5, 3])


@pytest.mark.parametrize(
    ("blend", "metric", "p", "sentence"),
    [
        (Geometric(), log_loss, 1.5, "Geometric is a mean of probabilities, but member 'b' gives 1.5 to 1.5"),
        (Power(), rmse, -1.0, "Power is a mean of positive values, but member 'b' gives -1 to -1"),
        (Geometric(), rmse, 0.0, "Geometric is a mean of positive values, but member 'b' gives 0 to 0"),
    ],
)
def test_what_has_no_such_mean_is_refused(blend: Blend, metric: Metric, p: float, sentence: str) -> None:
    y = labels(10, 1)
    with pytest.raises(KitError) as error:
        blend.fit(np.stack([y + 1 if metric is rmse else y, np.full((10, 1), p)]), y, metric, ["a", "b"])
    assert str(error.value) == sentence


# ---- simplex -----------------------------------------------------------------------------------


def planted(weights: list[float], n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn with chances that are this mean of the members, so nothing beats these weights in log loss."""
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(0, 2, (len(weights), n, 1)))
    chance = np.tensordot(weights, p, 1)
    return (rng.random((n, 1)) < chance).astype(float), p


@pytest.mark.parametrize("weights", [[0.6, 0.3, 0.1], [0.5, 0.0, 0.5, 0.0]])
def test_simplex_finds_planted_weights_of_log_loss(weights: list[float]) -> None:
    y, p = planted(weights, 20_000)
    assert Simplex().fit(p, y, log_loss).shares == pytest.approx(weights, abs=0.03)


def test_simplex_finds_the_closed_form_of_two_members() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(500, 1))
    p = np.stack([y + rng.normal(0, 1, y.shape), y + rng.normal(0, 2, y.shape)])
    a, b = (p - y)[:, :, 0]
    first = (b @ b - a @ b) / ((a - b) @ (a - b))  # least squares
    assert Simplex().fit(p, y, rmse).shares == pytest.approx((first, 1 - first), abs=1e-5)


def test_simplex_leaves_what_does_not_help_at_exactly_0() -> None:
    rng = np.random.default_rng(0)
    y, error = rng.normal(size=(200, 1)), rng.normal(size=(200, 1))
    p = np.stack([y + 3, y + error, y - error, y + rng.normal(0, 1.5, y.shape)])
    assert Simplex().fit(p, y, rmse).shares == pytest.approx((0, 0.5, 0.5, 0), abs=1e-5)
    y = labels(300, 1)
    p = members_for(y, [0.3, 9, 9])
    assert Simplex().fit(p, y, log_loss).shares[1:] == (0, 0)


@pytest.mark.parametrize("metric", [log_loss, rmse], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_simplex_is_as_good_as_any_point_of_a_fine_grid(metric: Metric, seed: int) -> None:
    y = labels(150, 2, seed)
    p = members_for(y, [1.5, 1.7, 2.5], seed)
    found = metric(y, Simplex().fit(p, y, metric).predict(p))
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 41) for b in np.linspace(0, 1 - a, 41)]
    assert found <= min(metric(y, np.tensordot(weights, p, 1)) for weights in grid) + 1e-9


def far_from_equal(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """One quiet member that is right, three loud ones that err together: only about 10 : 1 lets the first be heard."""
    rng = np.random.default_rng(0)
    y = (rng.random((n, 1)) < 0.5).astype(float)
    quiet = 0.5 + 0.04 * (2 * y - 1) * (rng.random(y.shape) < 0.95)
    loud = (rng.random(y.shape) < 0.5 + 0.1 * (2 * y - 1)).astype(float)
    return y, np.stack([quiet, *(np.clip(loud + rng.normal(0, 0.01, y.shape), 0, 1) for _ in range(3))])


@pytest.mark.parametrize("metric", [accuracy, f1], ids=str)
def test_simplex_is_not_stuck_at_equal_weights_on_a_step_metric(metric: Metric) -> None:
    y, p = far_from_equal()
    equal = np.full(4, 0.25)
    for i in range(4):  # where small steps change nothing at all, a search that takes small steps stays
        nudged = equal + 1e-3 * (np.eye(4)[i] - equal)
        assert metric(y, np.tensordot(nudged, p, 1)) == metric(y, np.tensordot(equal, p, 1))
    fitted = Simplex().fit(p, y, metric)
    assert metric(y, fitted.predict(p)) > 0.96 > 0.7 > metric(y, np.tensordot(equal, p, 1))
    assert fitted.shares[0] > 0.8


@pytest.mark.parametrize("metric", [roc_auc, mae, accuracy, quadratic_kappa], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_simplex_is_never_below_equal_weights_the_best_member_or_greedy(metric: Metric, seed: int) -> None:
    y = labels(120, 1, seed)
    p = members_for(y, [1.5, 1.7, 2.5, 4], seed)
    found = metric(y, Simplex(evaluations=60).fit(p, y, metric).predict(p))
    others = [*p, p.mean(axis=0), Greedy().fit(p, y, metric).predict(p)]
    assert not any(metric.better(metric(y, other), found) for other in others)


def test_simplex_beats_greedys_grid_of_weights_in_auc() -> None:
    rng = np.random.default_rng(0)
    y = labels(3000, 1)
    z = np.stack([(2 * y - 1) * 0.4 + rng.normal(0, 1, y.shape), (2 * y - 1) * 0.1 + rng.normal(0, 1, y.shape)])
    best = 0.4 / (0.4 + 0.1)  # of two independent normals with one spread: as the distances of their means
    fitted = Simplex().fit(z, y, roc_auc)
    assert fitted.shares[0] == pytest.approx(best, abs=0.06)
    assert roc_auc(y, fitted.predict(z)) >= roc_auc(y, np.tensordot([best, 1 - best], z, 1))


def test_simplex_works_on_classes() -> None:
    y, p = classes_for(400, [1, 1, -1])
    for metric in (log_loss, accuracy):
        fitted = Simplex().fit(p, y, metric)
        assert fitted.shares[2] < 0.05 < min(fitted.shares[:2])
        np.testing.assert_allclose(fitted.predict(p).sum(axis=1), 1)


@pytest.mark.parametrize("name", ["labels", "classes", "values", "pairs"])
def test_gradients_against_differences(name: str) -> None:
    y = labels(60, 2)
    p = members_for(y, [1, 2, 3])
    objective = {"labels": lambda: cross_entropy(y, p), "values": lambda: root_mean_square(y, p),
                 "classes": lambda: cross_entropy(*classes_for(60, [1, 2, 3])), "pairs": lambda: pair_loss(y, p, 2.0)}[name]()  # fmt: skip
    weights = np.array([0.2, 0.5, 0.3])
    value, gradient = objective(weights)
    steps = [(objective(weights + 1e-6 * e)[0] - objective(weights - 1e-6 * e)[0]) / 2e-6 for e in np.eye(3)]
    np.testing.assert_allclose(gradient, steps, rtol=1e-5, atol=1e-8)
    if name in ("labels", "values"):
        metric = log_loss if name == "labels" else rmse
        assert value == pytest.approx(metric(y, np.tensordot(weights, p, 1)))
    if name == "classes":
        y, p = classes_for(60, [1, 2, 3])
        assert value == pytest.approx(log_loss(y, np.tensordot(weights, p, 1)))


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    y = labels(60, 2)
    p = members_for(y, [1, 2, 3]).astype(np.float32)
    before = [build(y, p)(np.array([0.2, 0.5, 0.3])) for build in (cross_entropy, root_mean_square)]
    monkeypatch.setattr("kit.ensemble.blends.smooth.BLOCK", 50)
    after = [build(y, p)(np.array([0.2, 0.5, 0.3])) for build in (cross_entropy, root_mean_square)]
    for (a, slope), (b, other) in zip(before, after, strict=True):
        assert a == pytest.approx(b) and slope == pytest.approx(other)


def test_crumbs_and_negative_weights_are_dropped() -> None:
    assert on_simplex(np.array([0.5, -0.1, 1e-9, 0.5])).tolist() == [0.5, 0, 0, 0.5]
    assert on_simplex(np.array([-1.0, -2.0])).tolist() == on_simplex(np.array([np.nan, 1.0])).tolist() == [0.5, 0.5]


def test_values_that_are_no_probabilities_start_from_least_squares() -> None:
    y = 10 * labels(50, 1)
    assert (
        len(surrogates(mae, y, np.stack([y, y]))) == 1
        and len(surrogates(accuracy, labels(50, 1), np.stack([y, y]))) == 1
    )


def test_simplex_says_where_a_metric_has_no_score() -> None:
    with pytest.raises(KitError) as error:
        Simplex().fit(members_for(labels(10, 1), [1, 2]), np.zeros((10, 1)), roc_auc)
    assert str(error.value) == "Simplex: roc_auc is undefined on these rows, for example because all labels are equal"


# ---- per column --------------------------------------------------------------------------------


def crossed(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Two targets, each known to one of two members."""
    y, rng = labels(n, 2), np.random.default_rng(5)
    noise = np.array([[0.3, 9], [9, 0.3]])[:, None]
    return y, expit(2 * y - 1 + noise * rng.normal(size=(2, n, 2)))


@pytest.mark.parametrize("blend", [Greedy(), Simplex()], ids=["greedy", "simplex"])
def test_each_column_trusts_its_own_member(blend: Blend) -> None:
    y, p = crossed()
    fitted = PerColumn(blend=blend).fit(p, y, mean_roc_auc, ["a", "b"])
    alone = [blend.fit(p[:, :, j : j + 1], y[:, j : j + 1], mean_roc_auc, ["a", "b"]) for j in range(2)]
    assert [part.weights for part in fitted.parts] == [one.weights for one in alone]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(fitted.predict(p)[:, 1], alone[1].predict(p[:, :, 1:])[:, 0])
    assert fitted.weights == pytest.approx({"a": 0.5, "b": 0.5}, abs=0.1)
    together = mean_roc_auc(y, blend.fit(p, y, mean_roc_auc).predict(p))
    assert mean_roc_auc(y, fitted.predict(p)) > together + 0.01


def test_a_column_without_both_labels_stays_the_mean() -> None:
    y, p = crossed()
    y[:, 1] = 0
    fitted = PerColumn().fit(p, y, mean_roc_auc, ["a", "b"])
    np.testing.assert_array_equal(fitted.predict(p)[:, 1], p[:, :, 1].mean(axis=0))
    with pytest.raises(KitError, match="Greedy: mean_roc_auc is undefined on these rows"):
        PerColumn().fit(p, 0 * y, mean_roc_auc)


def test_weights_per_column_refuse_classes_and_other_columns() -> None:
    y, p = classes_for(30, [1, 2])
    with pytest.raises(KitError) as error:
        PerColumn().fit(p, y, log_loss)
    assert str(error.value) == (
        "PerColumn needs one column of labels an output, not 1 for 3: the classes of one target are blended together; "
        "use Greedy"
    )
    y, p = crossed()
    with pytest.raises(KitError, match="blend: predictions have 1 columns, but weights were learnt for 2"):
        PerColumn().fit(p, y, mean_roc_auc).predict(p[:, :, :1])


# ---- the contract of all blends ----------------------------------------------------------------

ALL: list[Blend] = [
    Mean(), RankMean(), Geometric(), Power(), Greedy(), Greedy(bags=3), Simplex(evaluations=40), PerColumn(),
    PerColumn(blend=Simplex(evaluations=40)), PerColumn(blend=RankMean()), PerColumn(blend=Power()), Stack(),
    Stack(columns=("age", "town")), Stack(model=Trees(rounds=5, min_leaf=5)), PerColumn(blend=Stack(columns=("age",))), MultiLayerStack(),
    MultiLayerStack(first=(Mean(), PerColumn())), Calibrated(), Calibrated(blend=PerColumn()), PriorShift(),
]  # fmt: skip


def bank(n: int = 120) -> dict[str, Any]:
    y, rng = labels(n, 2), np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(1, 90, n), "town": rng.choice(["here", "there"], n)})
    return {"predictions": members_for(y, [2, 1, 3]), "y": y, "plan": np.arange(n) % 4, "columns": frame}


@pytest.mark.parametrize("blend", ALL, ids=lambda blend: str(blend)[:60])
def test_a_blend_learns_is_scored_is_saved_and_loaded(blend: Blend, tmp_path: Path) -> None:
    data = bank()
    p, y, frame = data["predictions"], data["y"], data["columns"]
    needed = frame[list(blend.needs)] if blend.needs else None
    fitted = blend.fit(
        p, y, mean_roc_auc, ["z", "a", "m"], plan=data["plan"], columns=needed
    )  # not in the order of the alphabet
    joined = fitted.predict(p, needed)
    assert joined.shape == y.shape and np.isfinite(joined).all()
    assert mean_roc_auc(y, joined) > mean_roc_auc(y, p[2])

    fitted.save(tmp_path / "blend.json")
    again = FittedBlend.load(tmp_path / "blend.json")
    np.testing.assert_array_equal(again.predict(p, needed), joined)
    np.testing.assert_array_equal(again.for_test().predict(p, needed), fitted.for_test().predict(p, needed))
    assert again.members == ("z", "a", "m") == fitted.members
    assert again.weights == fitted.weights and set(again.weights) == {"z", "a", "m"}
    text = (tmp_path / "blend.json").read_text()
    assert '"z"' in text and json.loads(text)["kind"] == type(fitted).__name__

    honest = nested(blend, OutOfFold(p, y, mean_roc_auc, ["z", "a", "m"], plan=data["plan"], columns=needed))
    assert honest is not None and honest.score > 0.7
    here = data["plan"] == 1  # judged without the fold
    outside, inside = (None if needed is None else needed[rows] for rows in (~here, here))
    other = blend.fit(p[:, ~here], y[~here], mean_roc_auc, ["z", "a", "m"], plan=data["plan"][~here], columns=outside)
    np.testing.assert_array_equal(honest.predictions[here], other.predict(p[:, here], inside))
    assert Spec.from_dict(blend.to_dict()) == blend
    with pytest.raises(KitError, match="blend: predictions of 2 members, but 3 names"):
        fitted.predict(p[:2], needed)


@pytest.mark.parametrize("blend", [b for b in ALL if not b.needs], ids=lambda blend: str(blend)[:60])
def test_predictions_are_not_changed_and_widths_may_differ(blend: Blend) -> None:
    data = bank()
    p, kept = data["predictions"], data["predictions"].copy()
    double = blend.fit(p, data["y"], mean_roc_auc, plan=data["plan"]).predict(p)
    assert (p == kept).all()
    single = p.astype(np.float32)
    joined = blend.fit(single, data["y"], mean_roc_auc, plan=data["plan"]).predict(single)
    assert mean_roc_auc(data["y"], joined) == pytest.approx(mean_roc_auc(data["y"], double), abs=0.01)


def test_an_unknown_kind_of_blend_is_named(tmp_path: Path) -> None:
    (tmp_path / "blend.json").write_text('{"kind": "Witchcraft"}')
    with pytest.raises(KitError, match="neither kit nor this recipe has a FittedBlend called 'Witchcraft'"):
        FittedBlend.load(tmp_path / "blend.json")
    assert isinstance(Mean().fit(np.ones((2, 3, 1)), np.ones((3, 1)), rmse), WeightedMean)


# ---- docs/ensembles.md -------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "ensembles.md").read_text(encoding="utf-8")
SETTINGS = sorted(set(re.findall(r"[`\"](blend=[^`\s]*[^`\s\"])[`\"]", PAGE)))


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_of_the_page_is_understood(setting: str) -> None:
    name = re.split(r"[(\s]", setting.removeprefix("blend="))[0]
    assert type(Toxic().override(setting).blend).__name__ == name


def test_every_blend_is_on_the_page() -> None:
    known = [
        name for name, cls in choices(Blend, SecondLevel, Calibration).items() if cls.__module__.startswith("kit.")
    ]
    named = " ".join(SETTINGS)
    assert len(SETTINGS) > 20 and not [name for name in known if not re.search(rf"\b{name}\b", f"{named} Logistic")]


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    y = labels(60, 1)[:, 0]
    p = members_for(y[:, None], [1.0, 1.5])[:, :, 0]
    known = {"y": y, "linear_oof": p[0], "boost_oof": p[1], "linear_test": p[0], "boost_test": p[1]}
    known |= {"fold_of_each_row": np.arange(60) % 3}
    monkeypatch.chdir(tmp_path)
    Mean().fit({"linear": p[0], "boost": p[1]}, y, log_loss).save(tmp_path / "weights.json")
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, Any] = dict(known)
    for block in blocks:
        exec(block, names)
    np.testing.assert_allclose(names["joined"], p.mean(axis=0))
    own = names["InverseError"]().fit(p, y, "log_loss")
    assert (
        own.shares[0] > own.shares[1] and type(Toxic().override("blend=InverseError").blend).__name__ == "InverseError"
    )

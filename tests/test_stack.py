"""Stacks: what each second-level model finds, how it is saved and applied, and that no layer learns from a leak."""

import dataclasses
import json
import re
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls
from sklearn.linear_model import LogisticRegression
from test_run import fits, fitted, opened, small  # noqa: F401

import kit.ensemble
from kit import blending
from kit.ensemble import (
    Blend,
    Blended,
    Calibrated,
    Greedy,
    Layers,
    LeastSquares,
    Logistic,
    Mean,
    RankMean,
    Ridge,
    SecondLevel,
    Stack,
    Trees,
    scaled_ranks,
)
from kit.ensemble.base import Judged, Weighted
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.stack import bent_back
from kit.ensemble.stack_columns import Column
from kit.ensemble.stack_models import Formula
from kit.ensemble.threshold import fit_thresholded
from kit.metrics import Metric, accuracy, f1, log_loss, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from kit.recipe import Recipe
from kit.spec import KitError, Spec

nested = partial(kit.ensemble.nested, rounds=0)  # no intervals
SMALL = Trees(rounds=20, min_leaf=5, l2=1)
KINDS = ["labels", "classes", "values"]


def data(kind: str, n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Metric]:
    """Predictions (3 members, n, outputs) of falling quality, labels, and a metric."""
    rng = np.random.default_rng(seed)
    noise = np.array([0.6, 1.0, 2.0])[:, None, None]
    if kind == "classes":
        y = rng.integers(0, 3, (n, 1)).astype(float)
        z = np.exp(1.5 * np.eye(3)[y[:, 0].astype(int)] + noise * rng.normal(size=(3, n, 3)))
        return z / z.sum(axis=-1, keepdims=True), y, log_loss
    y = rng.normal(size=(n, 2))
    z = y + noise * rng.normal(size=(3, n, 2))
    if kind == "values":
        return z, y, rmse
    return 1 / (1 + np.exp(-z)), (y > 0.3).astype(float), log_loss


def frame(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    price = pd.Series(rng.normal(50, 10, n)).mask(rng.random(n) < 0.2)
    return pd.DataFrame({"price": price, "category": rng.choice(["red", "green", "blue"], n), "unread": 0})


# ---- each model does what its source says --------------------------------------------------------


def weights_of(blended: Any, part: int = 0) -> np.ndarray:
    model = blended.parts[part].model
    assert isinstance(model, Formula)
    return np.array(model.weights)


def test_least_squares_is_what_scipy_finds_with_weights_that_are_not_negative() -> None:
    p, y, _ = data("values")
    p = np.concatenate([p, -p[:1] + 0.3])  # a member that only a negative weight could use
    blended = Stack(model=LeastSquares()).fit(p, y, rmse)
    for column in range(2):
        centred = p[:, :, column] - p[:, :, column].mean(axis=1, keepdims=True)
        known, _ = nnls(centred.T, y[:, column] - y[:, column].mean())
        np.testing.assert_allclose(weights_of(blended, column)[0], known, atol=1e-8)
        assert known[3] == 0 and known[0] > 0.3
    assert rmse(y, blended.apply(p)) < min(rmse(y, member) for member in p)


def test_least_squares_without_bounds_is_ordinary_least_squares() -> None:
    p, y, _ = data("values")
    p = np.concatenate([p, -p[:1] + 0.3 + 0.1 * p[1:2]])
    blended = Stack(model=LeastSquares(positive=False)).fit(p, y, rmse)
    for column in range(2):
        x = np.column_stack([p[:, :, column].T, np.ones(240)])
        np.testing.assert_allclose(blended.apply(p)[:, column], x @ np.linalg.lstsq(x, y[:, column])[0], atol=1e-8)


def test_the_planted_weights_are_found() -> None:
    rng = np.random.default_rng(3)
    p = rng.normal(size=(3, 400, 1))
    y = 0.7 * p[0] + 0.3 * p[2] + 2 + rng.normal(0, 1e-3, (400, 1))
    for model in (LeastSquares(), Ridge(alpha=1e-6)):
        blended: Any = Stack(model=model).fit(p, y, rmse)
        np.testing.assert_allclose(weights_of(blended)[0], [0.7, 0, 0.3], atol=1e-3)
        assert blended.parts[0].model.intercepts[0] == pytest.approx(2, abs=1e-3)
        assert blended.weights == pytest.approx({"0": 0.7, "1": 0, "2": 0.3}, abs=0.03)


def test_a_copy_of_a_member_does_not_upset_the_models() -> None:
    p, y, _ = data("values")
    twice = np.concatenate([p, p[:1]])
    for model in (LeastSquares(), LeastSquares(positive=False), Ridge(alpha=1e-6)):
        one, two = (Stack(model=model).fit(q, y, rmse).apply(q) for q in (p, twice))
        np.testing.assert_allclose(one, two, atol=1e-5)
    ridge: Any = Stack(model=Ridge()).fit(twice, y, rmse)
    assert weights_of(ridge)[0][0] == pytest.approx(weights_of(ridge)[0][3])  # the penalty shares it out


def test_ridge_against_the_closed_form() -> None:
    p, y, _ = data("values")
    blended = Stack(model=Ridge(alpha=25)).fit(p, y, rmse)
    for column in range(2):
        x = p[:, :, column].T
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        w = np.linalg.solve(z.T @ z + 25 * np.eye(3), z.T @ (y[:, column] - y[:, column].mean()))
        np.testing.assert_allclose(blended.apply(p)[:, column], z @ w + y[:, column].mean(), atol=1e-9)
        np.testing.assert_allclose(weights_of(blended, column)[0], w / x.std(axis=0), atol=1e-9)


@pytest.mark.parametrize("soft", [False, True])
def test_logistic_is_where_the_penalised_likelihood_is_flat(soft: bool) -> None:
    p, y, _ = data("labels")
    if soft:
        y = (y + np.random.default_rng(5).random(y.shape)) / 2
    blended = Stack(model=Logistic(C=0.3)).fit(p, y, log_loss)
    for column in range(2):
        x = np.log(p[:, :, column] / (1 - p[:, :, column])).T
        mean, spread = x.mean(axis=0), x.std(axis=0)
        gap = blended.apply(p)[:, column] - y[:, column]
        slope = (gap @ ((x - mean) / spread)) + weights_of(blended, column)[0] * spread / 0.3
        np.testing.assert_allclose(slope, 0, atol=1e-4)
        assert abs(gap.sum()) < 1e-4  # the intercept bears no penalty


@pytest.mark.parametrize("classes", [2, 3])
def test_multinomial_logistic_is_where_the_penalised_likelihood_is_flat(classes: int) -> None:
    p, y, _ = data("classes")
    p, y = p[:, :, :classes], np.minimum(y, classes - 1)
    p = p / p.sum(axis=2, keepdims=True)
    blended = Stack(model=Logistic(C=0.3)).fit(p, y, log_loss)
    x = np.log(p).transpose(1, 0, 2).reshape(len(y), -1)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    gap = blended.apply(p) - np.eye(classes)[y[:, 0].astype(int)]
    penalty = weights_of(blended) * spread / 0.3 * (2 if classes == 2 else 1)  # of two classes one difference is held
    np.testing.assert_allclose(gap.T @ ((x - mean) / spread) + penalty, 0, atol=1e-4)
    np.testing.assert_allclose(blended.apply(p).sum(axis=1), 1)


def test_many_weights_are_sought_without_the_hessian_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from kit.ensemble import stack_models

    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, (300, 1)).astype(float)
    p = np.exp(1.5 * (y == np.arange(4)) + rng.normal(0, 1, (3, 300, 4)))
    p /= p.sum(axis=2, keepdims=True)
    labels = data("labels")
    by_newton = [Stack().fit(p, y, log_loss).apply(p), Stack().fit(*labels).apply(labels[0])]
    used = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, *a: used.append(self.solver) or fit(self, *a))
    assert Stack().fit(p, y, log_loss) and used == ["newton-cholesky"]  # 52 numbers
    monkeypatch.setattr(stack_models, "MANY", 51)
    np.testing.assert_allclose(Stack().fit(p, y, log_loss).apply(p), by_newton[0], atol=1e-6)
    assert used[-1] == "lbfgs"
    monkeypatch.setattr(stack_models, "MANY", 1)
    np.testing.assert_allclose(Stack().fit(*labels).apply(labels[0]), by_newton[1], atol=1e-6)


@pytest.mark.parametrize("inputs", ["logit", "probability", "rank"])
@pytest.mark.parametrize("cross", [False, True])
def test_a_stack_reads_what_is_kept_in_float32_as_the_same_numbers(inputs: Any, cross: bool) -> None:
    p, y, metric = data("labels")
    p, plan = p.astype(np.float32), np.arange(len(y)) % 3
    blend = Stack(inputs=inputs, cross=cross)
    one, other = (blend.fit(q, y, metric, (), plan) for q in (p, p.astype(np.float64)))
    assert one == other and (one.apply(p) == other.apply(p.astype(np.float64))).all()


def test_peak_memory_is_about_the_inputs_of_one_model() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    y = (rng.random((20_000, 4)) < 0.3).astype(float)
    p = (1 / (1 + np.exp(1 - 2 * y - rng.normal(0, 1.5, (15, *y.shape))))).astype(np.float32)
    for blend in (Stack(), Stack(model=Ridge()), Stack(inputs="rank")):
        Stack().fit(p[:, :200], y[:200], log_loss)  # imports
        tracemalloc.start()
        blended = blend.fit(p, y, log_loss)
        blended.apply(p)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.5 * p.nbytes, f"{blend}: {peak / p.nbytes:.2f} times the bank, beside it"


def test_logistic_undoes_what_was_done_to_a_member() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 1.5, (20000, 1))
    y = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    bold = 1 / (1 + np.exp(-(3 * odds + 1)))  # true log-odds are a third of these, less a third
    blended: Any = Stack(model=Logistic(C=100)).fit(bold[None], y, log_loss)
    assert weights_of(blended)[0][0] == pytest.approx(1 / 3, abs=0.02)
    assert blended.parts[0].model.intercepts[0] == pytest.approx(-1 / 3, abs=0.04)


@pytest.mark.parametrize(("kind", "objective"), [("labels", "binary"), ("values", "regression")])
def test_trees_are_lightgbms(kind: str, objective: str) -> None:
    import lightgbm as lgb

    p, y, metric = data(kind)
    said = Stack(model=SMALL).fit(p, y, metric).apply(p)
    settings = {"objective": objective, "learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 5, "lambda_l2": 1}
    settings |= {"feature_fraction": 0.7, "seed": 0, "deterministic": True, "force_row_wise": True, "verbosity": -1}
    naive = [lgb.train(settings, lgb.Dataset(p[:, :, j].T, y[:, j]), 20).predict(p[:, :, j].T) for j in range(2)]
    np.testing.assert_allclose(said, np.stack(naive, axis=1), rtol=1e-12)


def test_trees_with_columns_find_where_a_member_is_to_be_trusted() -> None:
    rng = np.random.default_rng(0)
    n = 1200
    y, place = (rng.random((n, 1)) < 0.5).astype(float), rng.choice(["north", "south"], n)
    right, wrong = (1 / (1 + np.exp(-(s * (2 * y - 1) + rng.normal(0, 1, (n, 1))))) for s in (1.5, 0))
    north = (place == "north")[:, None]
    p = np.stack([np.where(north, right, wrong), np.where(north, wrong, right)])
    columns, plan = pd.DataFrame({"place": place}), np.arange(n) % 4
    with_it, without = (
        nested(Stack(model=Trees(min_leaf=10), columns=names), p, y, plan, roc_auc, columns=columns)
        for names in (("place",), ())
    )
    assert with_it is not None and without is not None and with_it.score > without.score + 0.02
    assert sum(with_it.weights[0].values()) < 0.9 < sum(without.weights[0].values())  # the rest is the column's


# ---- inputs --------------------------------------------------------------------------------------


def test_rank_inputs_do_not_see_monotone_transforms_and_are_taken_within_folds() -> None:
    p, y, _ = data("labels")
    plan = np.arange(240) % 3
    bent = p.copy()
    bent[:, plan == 1] = bent[:, plan == 1] ** 3 * 0.1  # the fits of another fold, on another scale
    blend = Stack(inputs="rank")
    one, two = (blend.fit(q, y, mean_roc_auc, plan=plan) for q in (p, bent))
    assert one == two
    by_hand = Stack(inputs="probability").fit(ranks_by_fold(p, plan), y, mean_roc_auc)
    np.testing.assert_array_equal(one.apply(p), by_hand.apply(scaled_ranks(p)))


def ranks_by_fold(p: np.ndarray, plan: np.ndarray) -> np.ndarray:
    ranks = p.copy()
    for fold in np.unique(plan):
        ranks[:, plan == fold] = scaled_ranks(p[:, plan == fold])
    return ranks


def test_auto_inputs_follow_the_members() -> None:
    p, y, _ = data("labels")
    assert dataclasses.asdict(Stack().fit(p, y, log_loss))["inputs"] == "logit"
    assert dataclasses.asdict(Stack().fit(5 * p, y, mean_roc_auc))["inputs"] == "probability"
    assert dataclasses.asdict(Stack(model=Trees()).fit(p, y, log_loss))["inputs"] == "probability"


def test_a_target_may_see_the_predictions_of_all() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((600, 2)) < 0.5).astype(float)
    y[:, 1] = np.where(rng.random(600) < 0.9, y[:, 0], y[:, 1])  # the second is mostly the first
    good = 1 / (1 + np.exp(-(2 * y[:, 0] - 1 + rng.normal(0, 0.7, 600))))
    p = np.stack([good, rng.random(600)], axis=1)[None]  # nobody predicts the second
    plan = np.arange(600) % 3
    own, all_ = (nested(Stack(cross=cross), p, y, plan, log_loss) for cross in (False, True))
    assert own is not None and all_ is not None
    assert roc_auc(y[:, 1], own.predictions[:, 1]) < 0.6 and roc_auc(y[:, 1], all_.predictions[:, 1]) > 0.8


def test_columns_are_filled_and_coded_by_the_learnt_rows_alone() -> None:
    p, y, _ = data("values")
    columns = frame(240)
    columns["price"] += 5 * y[:, 0]
    blended: Any = Stack(columns=("price", "category")).fit(p, y, rmse, columns=columns)
    assert blended.columns.inputs == (
        "price",
        "price missing",
        *(f"category={c}" for c in by_count(columns["category"])),
    )
    strange = pd.DataFrame({"category": [None, "mauve", "red"], "price": [np.nan, np.inf, 50.0]})
    seen = blended.columns.encode(strange, 3)
    median = columns["price"].median()
    assert seen[:, :2].tolist() == [[median, 1], [median, 1], [50, 0]]
    assert seen[:2, 2:].sum() == 0 and seen[2, 2:].sum() == 1  # what was not seen is no category
    coded: Any = Stack(model=SMALL, columns=("price", "category")).fit(p, y, rmse, columns=columns)
    seen = coded.columns.encode(strange, 3)
    assert np.isnan(seen[:2]).all() and seen[2].tolist() == [50, by_count(columns["category"]).index("red")]
    plain = Stack().fit(p, y, rmse)
    assert rmse(y[:, 0], blended.apply(p, columns)[:, 0]) < rmse(y[:, 0], plain.apply(p)[:, 0])


def test_numbers_that_name_a_category_are_spelled_alike_in_all_files() -> None:
    learnt = Column.of(pd.Series(["1", "2", "A", "1"], name="code"))
    test = pd.Series([1.0, np.nan, 2.0], name="code")  # no letter in this file, but a gap: read as floats
    assert learnt.encode(test, False).tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    mixed = Column.of(pd.Series([1.0, "A", None, 2, 1], dtype=object, name="code"))
    assert mixed.values == ("1", "2", "A")
    assert learnt.encode(pd.Series(["1", "2"], dtype="string", name="code"), False).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert mixed.encode(pd.Series([2, 1], name="code"), True).tolist() == [[1], [0]]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_are_numbers(zone: str | None) -> None:
    days = pd.Series(pd.to_datetime(["2020-01-01 06:00", None, "2020-01-04 18:00"]).tz_localize(zone), name="t")
    learnt = Column.of(days)
    assert learnt.values is None and learnt.gaps and learnt.inputs(False) == ("t", "t missing")
    seen = learnt.encode(days, False)
    assert seen[2, 0] - seen[0, 0] == 3.5 and seen[:, 1].tolist() == [0, 1, 0]
    assert seen[1, 0] == pytest.approx(learnt.median) == pytest.approx(seen[[0, 2], 0].mean())
    assert Column.of(days.dropna().diff()).encode(days.dropna().diff(), False)[1, 0] == 3.5  # spans of time


@pytest.mark.parametrize("coded", [False, True])
def test_a_column_of_which_nothing_is_known_is_named(coded: bool) -> None:
    words = Column.of(pd.Series(["red", "blue"] * 80, name="color"))
    numbers = Column.of(pd.Series(np.arange(5.0), name="price"))
    with pytest.raises(KitError, match="^Stack: column 'color' was learnt as categories such as 'blue', but none of "
                                       "these 101 values is known, such as 'Red'; spell it alike"):  # fmt: skip
        words.encode(pd.Series(["Red"] * 101), coded)
    with pytest.raises(KitError, match="'price' was learnt as numbers, but .*such as '1,5'"):
        numbers.encode(pd.Series(["1,5"] * 101), coded)
    for column in (words, numbers):  # a column may lack in a whole fold
        assert len(column.encode(pd.Series([None] * 101, dtype=object), coded)) == 101
    assert len(words.encode(pd.Series(["Red"] * 100), coded)) == 100  # few rows may all be strange
    assert len(words.encode(pd.Series([*["Red"] * 100, "red"]), coded)) == 101


def by_count(column: pd.Series) -> list[str]:
    counts = column.value_counts()
    return sorted(counts.index, key=lambda value: (-counts[value], value))


# ---- all kinds -----------------------------------------------------------------------------------

MODELS: list[SecondLevel] = [LeastSquares(), Ridge(), Logistic(), SMALL]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(
    "more", [{}, {"cross": True, "inputs": "rank", "columns": ("price", "category")}], ids=["plain", "more"]
)
def test_every_stack_is_learnt_judged_saved_and_applied_again(
    kind: str, model: SecondLevel, more: Any, tmp_path: Path
) -> None:
    if (kind, type(model)) == ("values", Logistic):
        return
    p, y, metric = data(kind)
    blend, plan, columns = Stack(model=model, **more), np.arange(240) % 3, frame(240)
    honest = nested(blend, p, y, plan, metric, ["z", "a", "m"], columns)
    assert honest is not None and not metric.better(
        metric(y, p[2]), honest.score
    )  # at least the worst member is beaten
    blended = blend.fit(p, y, metric, ["z", "a", "m"], plan, columns)
    assert set(blended.weights) == {"z", "a", "m"} and blended.weights["z"] == max(blended.weights.values())
    assert sum(blended.weights.values()) == pytest.approx(1) if not more else 0 < sum(blended.weights.values()) <= 1
    if kind != "values":
        said = blended.apply(p, columns)
        assert said.min() >= 0 and said.max() <= 1
        assert kind == "labels" or np.allclose(said.sum(axis=1), 1)

    cut = dataclasses.replace(blended, thresholds=(0.25,) * p.shape[2])  # type: ignore[type-var]
    cut.save(tmp_path / "stack.json")
    again = Blended.load(tmp_path / "stack.json")
    assert again == cut and again.thresholds == cut.thresholds != blended.thresholds
    fresh, _, _ = data(kind, 50, seed=9)
    np.testing.assert_array_equal(again.apply(fresh, frame(50, 9)), blended.apply(fresh, frame(50, 9)))
    assert Spec.revive(blend.dump()) == blend


def test_the_file_can_be_read_and_a_formula_needs_no_library(tmp_path: Path) -> None:
    p, y, _ = data("labels")
    blended = Stack(columns=("price",)).fit(p, y, log_loss, ["z", "a", "m"], columns=frame(240))
    blended.save(tmp_path / "stack.json")
    written = json.loads((tmp_path / "stack.json").read_text())
    first = written["parts"][0]["inputs"]
    assert [(i.get("member"), i.get("output"), i.get("column")) for i in first] == [
        ("z", 0, None), ("a", 0, None), ("m", 0, None), (None, None, "price"), (None, None, "price missing"),
    ]  # fmt: skip
    # the numbers in the file, by hand
    part = written["parts"][1]
    price = frame(240)["price"]
    inputs = [*np.log(p[:, :, 1] / (1 - p[:, :, 1])), price.fillna(written["columns"][0]["median"]), price.isna()]
    z = part["intercepts"][0] + sum(term["weights"][0] * x for term, x in zip(part["inputs"], inputs, strict=True))
    np.testing.assert_allclose(blended.apply(p, frame(240))[:, 1], 1 / (1 + np.exp(-z)))

    # nor does it need any other of kit's dependencies than the docs say
    root = Path(kit.ensemble.__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split("[^a-z-]", one)[0] for one in project["dependencies"]}
    assert "(numpy, pandas, scipy,\npydantic and filelock are enough" in (root / "docs" / "ensembles.md").read_text(
        "utf-8"
    )
    spared = needed - {"numpy", "pandas", "scipy", "pydantic", "filelock"}
    assert len(spared) == len(needed) - 5 > 5
    blocked = {{"scikit-learn": "sklearn", "iterative-stratification": "iterstrat"}.get(one, one) for one in spared}

    np.save(tmp_path / "p.npy", p)
    frame(240).to_pickle(tmp_path / "frame.pkl")
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(blocked)!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
sys.meta_path.insert(0, Absent())
import numpy as np, pandas as pd
from pathlib import Path
from kit.ensemble import Blended
folder = Path({str(tmp_path)!r})
blended = Blended.load(folder / "stack.json")
np.save(folder / "said.npy", blended.apply(np.load(folder / "p.npy"), pd.read_pickle(folder / "frame.pkl")))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "said.npy"), blended.apply(p, frame(240)))


def test_least_squares_are_bent_back_into_probabilities_in_order() -> None:
    z = np.linspace(-0.5, 1.5, 2001)
    bent = bent_back(z, 0.01)
    inside = (z >= 0.01) & (z <= 0.99)
    np.testing.assert_array_equal(bent[inside], z[inside])
    assert 0.005 < bent.min() < 0.006 and 0.994 < bent.max() < 0.995
    assert (np.diff(bent) > 0).all() and np.abs(np.diff(bent)).max() < 1.01e-3  # no ties, no jump
    np.testing.assert_allclose(bent_back(1 - z, 0.01), 1 - bent, atol=1e-12)
    p, y, _ = data("labels")
    sums = Stack(model=Ridge()).fit(p, y, rmse).apply(p)  # a metric of values: sums stay
    said = Stack(model=Ridge()).fit(p, y, roc_auc).apply(p)
    assert sums.min() < 0 < said.min() and mean_roc_auc(y, sums) == mean_roc_auc(y, said)


def test_what_teaches_nothing_stays_the_members_mean() -> None:
    p, y, _ = data("labels")
    y[:, 1] = 0
    for model in (Logistic(), LeastSquares(), SMALL):
        blended = Stack(model=model).fit(p, y, mean_roc_auc)
        np.testing.assert_allclose(blended.apply(p)[:, 1], p[:, :, 1].mean(axis=0))
        assert sum(blended.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("model", [Logistic(), SMALL, Ridge()], ids=lambda m: type(m).__name__)
def test_a_class_that_was_not_seen_keeps_what_members_give_it(model: SecondLevel) -> None:
    p, y, _ = data("classes")
    known = y[:, 0] != 1
    blended = Stack(model=model).fit(p[:, known], y[known], log_loss)
    said = blended.apply(p)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said > 0).all() and accuracy(y[known], said[known]) > 0.8
    if isinstance(model, Ridge):
        return
    np.testing.assert_allclose(said[:, 1], p[:, :, 1].mean(axis=0))
    one = Stack(model=model).fit(p[:, y[:, 0] == 2], y[y[:, 0] == 2], log_loss)  # a single class: nothing to learn
    np.testing.assert_allclose(one.apply(p), p.mean(axis=0))


def test_thresholds_grades_and_several_metrics() -> None:
    p, y, _ = data("labels")
    for blend in (Stack(), Stack(model=SMALL), Layers()):
        cut = fit_thresholded(blend, p, y, f1, plan=np.arange(240) % 3)
        assert len(cut.thresholds) == 2 and cut.thresholds != (0.5, 0.5)
        honest = nested(blend, p, y, np.arange(240) % 3, f1)
        assert honest is not None and all(len(cuts) == 2 for cuts in honest.thresholds.values())
    rng = np.random.default_rng(0)
    grades = rng.integers(0, 5, (300, 1)).astype(float)  # grades are values: nothing says they are classes
    blended: Any = Stack().fit(grades + rng.normal(size=(2, 300, 1)), grades, quadratic_kappa)
    assert blended.method == "Ridge" and blended.kind == "values" and blended.edge is None


@pytest.mark.parametrize(
    ("blend", "kind", "metric", "sentence"),
    [
        (Stack(model=Logistic()), "values", rmse, "Stack: Logistic gives probabilities, but labels run from -3.89942 to 3.06604; use Ridge or Trees"),
        (Stack(inputs="logit"), "values", rmse, "Stack: inputs=logit wants probabilities, but member 'a' gives -4.03919 to 3.06229; use probability or rank"),
        (Stack(columns=("colour",)), "labels", log_loss, "Stack: column 'colour' is missing; there are: price, category, unread"),
    ],
)  # fmt: skip
def test_what_a_stack_refuses(blend: Blend, kind: str, metric: Metric, sentence: str) -> None:
    p, y, _ = data(kind)
    with pytest.raises(KitError) as error:
        blend.fit(p, y, metric, ["a", "b", "c"], columns=frame(240))
    assert str(error.value) == sentence


def test_more_that_a_stack_refuses() -> None:
    p, y, _ = data("classes")
    with pytest.raises(KitError, match=r"^blend: labels must be class indices 0 to 1; found 2$"):
        Stack().fit(p[:, :, :2], y, log_loss)
    with pytest.raises(KitError, match=r"^blend: labels have 2 columns, but predictions have 3$"):
        Stack().fit(p, np.hstack([y, y]), rmse)
    wants = Stack(columns=("price",)).fit(p, y, log_loss, columns=frame(240))
    with pytest.raises(KitError, match=r"^Stack reads the columns price beside the predictions; pass them as columns$"):
        wants.apply(p)
    with pytest.raises(KitError, match=r"^Stack: 240 rows of predictions, but columns of 3 rows$"):
        wants.apply(p, frame(3))


def test_settings_in_brackets_are_found() -> None:
    class Any_(Recipe):
        pass

    def set_to(text: str) -> Blend:
        return Any_().override(f"blend={text}").blend

    assert set_to("Stack(model=Logistic(C=0.5))") == Stack(model=Logistic(C=0.5))
    assert set_to("stack(model=trees,columns=('price',))") == Stack(model=Trees(), columns=("price",))
    assert set_to("Layers(first=(Stack,Greedy(rounds=5)),last=Layers(first=(Mean,RankMean)))") == Layers(
        first=(Stack(), Greedy(rounds=5)), last=Layers(first=(Mean(), RankMean()))
    )
    tuned = Any_(blend=Stack(model=Ridge())).override("blend.model.alpha=3", "cross=true")
    assert tuned.blend == Stack(model=Ridge(alpha=3), cross=True)
    with pytest.raises(KitError, match="no SecondLevel is called 'Logit'; did you mean 'Logistic'"):
        set_to("Stack(model=Logit)")


RUNS = [
    "Stack(model=Logistic(C=0.5),columns=('x','words'))",
    "Stack(model=Ridge)",
    "Calibrated(blend=Greedy,method=beta)",
    "Layers(first=(Stack(model=Trees(min_leaf=5)),Stack,Greedy),last=Mean)",
    "PriorShift(blend=Calibrated(blend=Mean),test_share=(0.2,))",
]


def test_a_run_blends_by_any_of_them(small: Any, tmp_path: Path) -> None:
    names = ["boost", "memory"]
    for text in RUNS:
        run = opened(small, tmp_path, f"blend={text}")
        fitted(run)
        report = blending.blend(run, names)
        assert report is not None and report.submission is not None and blending.last_blend(run) == report
        tests = np.stack([np.mean([f.test for f in run.gathered(name).values()], axis=0) for name in names])
        saved = Blended.load(run.root / "blend" / "weights.json")
        asked = run.table.test[list(run.recipe.blend.needs)]
        said = np.load(run.root / "blend" / "test.npy")
        np.testing.assert_array_equal(said, saved.for_test().apply(tests, asked))
        if "PriorShift" in text:
            assert said.mean() < saved.apply(tests).mean() - 0.1  # the test set alone is shifted
            oof = np.stack([blending.out_of_fold(run, run.gathered(name)) for name in names])
            honest = nested(Calibrated(blend=Mean()), oof, run.table.y, run.plan, run.table.task.metric)
            assert honest is not None
            np.testing.assert_array_equal(np.load(run.root / "blend" / "oof.npy"), honest.predictions)
    for column in ("nope", "y"):
        with pytest.raises(KitError) as error:
            blending.blend(opened(small, tmp_path, f"blend=Stack(columns=('{column}',))"), names)
        sentence = f"Stack: there is no column '{column}' to read beside the predictions; there are: x, z, words"
        assert str(error.value) == sentence


# ---- layers --------------------------------------------------------------------------------------


class Remembers(Blend):
    """The worst blend there is: knows each row that it learnt from by heart, and of others nothing."""

    def learn(self, judged: Judged) -> "Remembered":
        known = {row.tobytes(): label for row, label in zip(judged.predictions[0], judged.y[:, 0], strict=True)}
        return Remembered(judged.names, known)


@dataclasses.dataclass(frozen=True)
class Remembered(Weighted):
    method: str = "Remembers"
    members: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    known: dict[bytes, float] = dataclasses.field(default_factory=dict)

    def __init__(self, members: tuple[str, ...], known: dict[bytes, float]) -> None:
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "known", known)
        object.__setattr__(self, "shares", (1 / len(members),) * len(members))

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        return np.array([[self.known.get(row.tobytes(), 0.5)] for row in predictions[0]])


def noise(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels that nothing can predict, two members that know nothing, and a plan."""
    rng = np.random.default_rng(seed)
    return rng.random((2, n, 1)), (rng.random((n, 1)) < 0.5).astype(float), np.arange(n) % 5


def naive_layers(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What Layers would be if the first blend's output were taken on the rows that it learnt from."""
    first = Remembers().fit(p, y, roc_auc)
    return Stack().fit(np.stack([first.apply(p), p[1]]), y, roc_auc).apply(np.stack([first.apply(p), p[1]]))


def test_a_first_layer_that_memorises_is_caught() -> None:
    layers = Layers(first=(Remembers(), Mean()), last=Stack())
    scores = []
    for seed in range(4):
        p, y, plan = noise(seed=seed)
        assert roc_auc(y, naive_layers(p, y)) == 1  # the planted leak is there to be caught
        honest = nested(layers, p, y, plan, roc_auc)
        unseen = cross_fitted(Remembers(), Judged(p, y, roc_auc, ("a", "b"), plan), "a test")
        assert (unseen == 0.5).all()  # what layer 2 learns from: of a row that is not known, nothing
        assert honest is not None
        scores += honest.folds.values()
    assert abs(np.mean(scores) - 0.5) < 0.04


def test_the_last_layer_does_not_trust_a_first_one_that_only_looks_good() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((600, 1)) < 0.5).astype(float)
    p = 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(0, 1, (2, 600, 1)))))
    old, fresh = slice(0, 400), slice(400, None)
    layers = Layers(first=(Remembers(), Mean()), last=Stack(model=Logistic(C=1)))
    blended = layers.fit(p[:, old], y[old], roc_auc, plan=np.arange(400) % 5)
    good = Mean().fit(p[:, old], y[old], roc_auc).apply(p[:, fresh])
    assert roc_auc(y[fresh], blended.apply(p[:, fresh])) == pytest.approx(roc_auc(y[fresh], good))
    first = [blend.fit(p[:, old], y[old], roc_auc) for blend in layers.first]
    fooled = Stack().fit(np.stack([b.apply(p[:, old]) for b in first]), y[old], roc_auc)
    assert fooled.weights["0"] > 0.6  # on its own rows the memory is perfect
    assert dataclasses.asdict(blended)["last"]["parts"][0]["model"]["influence"][0] == 0


@pytest.mark.parametrize("last", [Stack(), Layers(first=(Stack(), Mean()), last=Greedy())], ids=["two", "three"])
def test_layers_by_hand_and_a_fold_does_not_know_its_labels(last: Blend) -> None:
    p, y, metric = data("labels", 150)
    plan = np.arange(150) % 3
    layers = Layers(first=(Stack(), Greedy(rounds=4), Greedy(rounds=2)), last=last)
    unseen = np.empty((3, 150, 2))
    for i, blend in enumerate(layers.first):
        for fold in range(3):
            here = plan == fold
            unseen[i, here] = blend.fit(p[:, ~here], y[~here], metric).apply(p[:, here])
    second = last.fit(unseen, y, metric, plan=plan)
    whole = np.stack([blend.fit(p, y, metric).apply(p) for blend in layers.first])
    blended = layers.fit(p, y, metric, plan=plan)
    np.testing.assert_array_equal(blended.apply(p), second.apply(whole))

    flipped = np.where(plan[:, None] == 1, 1 - y, y)
    one, other = (
        cross_fitted(layers.first[0], Judged(p, z, metric, tuple("abc"), plan), "a test") for z in (y, flipped)
    )
    assert (one[plan == 1] == other[plan == 1]).all() and (one[plan != 1] != other[plan != 1]).any()
    before, after = (
        nested(layers, p, z, np.arange(150) % 4, metric)
        for z in (y, np.where(np.arange(150)[:, None] % 4 == 1, 1 - y, y))
    )
    assert before is not None and after is not None
    assert (before.predictions[1::4] == after.predictions[1::4]).all()


def test_a_member_that_leaks_in_one_fold_gains_nothing_there() -> None:
    fooled, honest = [], []
    for seed in range(4):
        p, y, plan = noise(400, seed)
        p[1, plan == 2] = (0.02 + 0.96 * y)[plan == 2]  # this member's fit of fold 2 has seen the labels of fold 2
        layers = Layers(first=(Stack(), Greedy()), last=Stack())
        fooled.append(roc_auc(y, layers.fit(p, y, roc_auc, plan=plan).apply(p)))
        result = nested(layers, p, y, plan, roc_auc)
        assert result is not None
        # where the weights may have seen the leak, no label is to be had; where there is one, they have not seen it
        honest += [score for fold, score in result.folds.items() if fold != 2]
        assert result.best == "1" and result.gain < 0.02  # and the member itself stands there, too good to be true
    assert np.mean(fooled) > 0.58 and abs(np.mean(honest) - 0.5) < 0.06


def test_layers_say_what_is_missing() -> None:
    p, y, metric = data("labels", 60)
    with pytest.raises(KitError) as error:
        Layers().fit(p, y, metric)
    assert str(error.value) == (
        "Layers learns from out-of-fold predictions of the blends inside it, and for these the fold number of each "
        "row is missing: pass plan"
    )
    with pytest.raises(KitError) as error:
        nested(Layers(), p, y, np.arange(60) % 2, metric)
    assert str(error.value) == (
        "Layers learns from out-of-fold predictions of the blends inside it, but all 30 rows lie in fold 1; it needs "
        "2 folds, and 1 more for a nested score and for each such blend around it"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_saved_and_give_the_same_numbers(kind: str, tmp_path: Path) -> None:
    p, y, metric = data(kind)
    blend = Layers(
        first=(Stack(columns=("price",)), Stack(model=SMALL), Greedy()), last=Layers(first=(Mean(), Greedy()))
    )
    assert blend.needs == ("price",)
    blended: Any = blend.fit(p, y, metric, ["z", "a", "m"], np.arange(240) % 3, frame(240))
    cut = dataclasses.replace(blended, thresholds=(0.3,) * p.shape[2])
    cut.save(tmp_path / "layers.json")
    again = Blended.load(tmp_path / "layers.json")
    assert again == cut and (again.apply(p, frame(240)) == blended.apply(p, frame(240))).all()
    shares = blended.last.weights
    assert list(shares) == ["Stack 1", "Stack 2", "Greedy"]
    by_hand = sum(s * b.weights["a"] for s, b in zip(shares.values(), blended.first, strict=True))
    assert blended.weights["a"] == pytest.approx(by_hand) and list(blended.weights) == ["z", "a", "m"]
    assert Spec.revive(blend.dump()) == blend

"""Boosted trees of three libraries: one interface, each against the plain library and its own words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from kit import Boost, CatBoost, KitError, Rows, Task, XGBoost, log_loss, rmse
from kit.core import threads
from kit.members.trees.base import GradientBoosting, GradientBoostingPredictor

MEMBERS = [Boost(trees=60, lr=0.1, min_leaf=5), XGBoost(trees=60, lr=0.1), CatBoost(trees=60, lr=0.1)]
each = pytest.mark.parametrize("member", MEMBERS, ids=lambda member: type(member).__name__)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = threads.threads()
    threads.use_threads(1)
    yield
    threads.use_threads(before)


def rows_of(kind: str, n: int = 400, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"age": rng.uniform(0, 9, n), "income, m": rng.normal(size=n), "city": rng.choice(["Oslo", "Rome", "Ulm"], n)}
    )
    value = frame["age"] + 4.0 * (frame["city"] == "Rome") + 0.3 * rng.normal(size=n)
    frame.loc[::11, "age"] = np.nan
    classes = {"multiclass": ("low", "mid", "high"), "binary": (0, 1)}.get(kind, ())
    targets = ("y", "z") if kind == "multilabel" else ("y",)
    y = {
        "binary": value > 6, "multilabel": np.stack([value > 6, frame["city"] == "Ulm"], axis=1),
        "multiclass": np.digitize(value, [4, 8]), "regression": value,
    }[kind]  # fmt: skip
    task = Task(
        name="t", kind=kind, targets=targets, metric=rmse if kind == "regression" else log_loss, classes=classes
    )
    return Rows.of(task, frame, np.asarray(y, float))


@each
@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass", "regression"])
def test_every_kind_is_learnt_from_every_column_and_comes_back_in_the_same_bits(
    member: GradientBoosting, kind: str, tmp_path: Path
) -> None:
    train, test = rows_of(kind), rows_of(kind, 200, seed=1)
    fitted = member.learn(train, test, tmp_path)
    p = fitted.predict(test)
    assert p.shape == (200, {"multilabel": 2, "multiclass": 3}.get(kind, 1)) and np.isfinite(p).all()
    if kind == "regression":
        assert r2_score(test.labels, p) > 0.85
    elif kind == "multiclass":
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
        assert (p.argmax(1) == test.labels[:, 0]).mean() > 0.8
    else:
        assert ((p >= 0) & (p <= 1)).all()
        assert min(roc_auc_score(y, q) for y, q in zip(test.labels.T, p.T, strict=True)) > 0.93
    fitted.save(tmp_path)
    assert not {path.suffix for path in tmp_path.rglob("*") if path.is_file()} - {".json", ".txt", ".cbm"}  # no pickle
    loaded = GradientBoostingPredictor.load(tmp_path)
    assert loaded.spec == member and np.array_equal(loaded.predict(test), p)
    order = np.random.default_rng(0).permutation(200)
    assert np.array_equal(fitted.predict(test.take(order)), p[order])
    assert loaded.gains() == pytest.approx(fitted.gains())


@each
def test_gains_name_the_columns_that_matter(member: GradientBoosting, tmp_path: Path) -> None:
    gains = member.learn(rows_of("binary"), rows_of("binary", seed=1), tmp_path).gains()
    assert [*gains] == ["age", "income, m", "city"] and sum(gains.values()) == pytest.approx(1)
    assert gains["income, m"] < 0.12 < 0.15 < min(gains["age"], gains["city"])


@each
def test_trees_stop_where_the_loss_of_other_rows_no_longer_falls(member: GradientBoosting, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    task = rows_of("binary").task
    noise = [
        Rows.of(task, pd.DataFrame(rng.normal(size=(200, 3))).add_prefix("c"), rng.random(200) < 0.5) for _ in range(2)
    ]
    stopping = member.override("patience=5", "trees=300", "lr=0.3")
    early, late = (
        spec.learn(*noise, tmp_path).predict(noise[1]) for spec in (stopping, stopping.override("patience=none"))
    )
    assert log_loss(noise[1].labels, early) < log_loss(noise[1].labels, late) - 0.1
    assert stopping.early_stops_on_valid and not stopping.override("patience=none").early_stops_on_valid
    unjudged = stopping.learn(noise[0], Rows(task, noise[1].source, noise[1].at), tmp_path)
    assert np.array_equal(unjudged.predict(noise[1]), late)  # rows without labels stop nothing


@each
def test_a_label_that_train_rows_lack_and_one_that_they_alone_have(member: GradientBoosting, tmp_path: Path) -> None:
    rows = rows_of("multiclass")
    two = rows.take(np.flatnonzero(rows.labels[:, 0] != 1))
    p = member.learn(two, rows, tmp_path).predict(rows)
    assert p.shape == (400, 3) and (p[:, 1] < 0.1).all()
    one = rows.take(np.flatnonzero(rows.labels[:, 0] == 2))
    assert member.learn(one, rows, tmp_path).predict(rows).tolist() == [[0, 0, 1]] * 400
    both = rows_of("multilabel")
    gaps = Rows(both.task, both.source, both.at, np.where(np.arange(400)[:, None] % 2, both.labels, [[np.nan, 1]]))
    fitted = member.learn(gaps, both, tmp_path)
    half = both.take(np.arange(1, 400, 2))
    alone = Rows(half.task.model_copy(update={"targets": ("y",)}), half.source, half.at, half.labels[:, :1])
    stop = Rows(alone.task, both.source, both.at, both.labels[:, :1])
    if not isinstance(member, CatBoost):  # there the kinds of columns are the same, but the random orders are not
        np.testing.assert_allclose(fitted.predict(both)[:, 0], member.learn(alone, stop, tmp_path).predict(both)[:, 0])


@each
@pytest.mark.parametrize("sign", [1, -1])
def test_monotone_predictions_go_one_way(member: GradientBoosting, sign: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 400)
    frame = pd.DataFrame({"x": x, "other": rng.normal(size=400)})
    task = Task(name="t", kind="regression", targets="y", metric=rmse)
    rows = Rows.of(task, frame, sign * x + np.sin(20 * x))
    grid = Rows.of(task, pd.DataFrame({"x": np.linspace(0, 1, 200), "other": 0.0}))
    free = member.learn(rows, rows, tmp_path).predict(grid)[:, 0]
    bound = member.model_copy(update={"monotone": (("x", sign),)}).learn(rows, rows, tmp_path).predict(grid)[:, 0]
    assert (np.diff(free) * sign).min() < -0.05 and (np.diff(bound) * sign).min() > -1e-6 and np.ptp(bound) > 0.3
    assert type(member)(monotone={"x": sign}).monotone == (("x", sign),)


@each
def test_monotone_names_are_columns_with_an_order(member: GradientBoosting, tmp_path: Path) -> None:
    rows, name = rows_of("binary"), type(member).__name__
    wrong = member.model_copy(update={"monotone": (("agee", 1),)})
    with pytest.raises(
        KitError, match=f"^{name}: monotone names 'agee', and there is no such column; did you mean 'age'"
    ):
        wrong.learn(rows, rows, tmp_path)
    with pytest.raises(KitError, match="did you mean 'age'"):
        wrong.check(rows.task.model_copy(update={"inputs": ("age", "city")}))
    with pytest.raises(KitError, match=f"^{name}: monotone names 'city', which is a category and has no order"):
        member.model_copy(update={"monotone": (("city", 1),)}).learn(rows, rows, tmp_path)


@pytest.mark.parametrize("member", [Boost(trees=9), XGBoost(trees=9)], ids=lambda member: type(member).__name__)
def test_any_number_of_threads_gives_the_same_trees(member: GradientBoosting, tmp_path: Path) -> None:
    rows, found = rows_of("binary", 3000), []
    for count in (1, 2, 3):
        threads.use_threads(count)
        found.append(member.learn(rows, rows, tmp_path).predict(rows))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_xgboost_is_the_plain_library(tmp_path: Path) -> None:
    import xgboost as xgb

    rows, member = rows_of("binary"), XGBoost(trees=30, patience=None, text=False)
    x = rows.frame.assign(city=rows.frame["city"].astype("category"))
    x.columns = ["a", "b", "c"]
    data = xgb.DMatrix(x, rows.labels[:, 0], enable_categorical=True)
    params = {
        "objective": "binary:logistic", "eta": 0.08, "max_depth": 6, "subsample": 0.65, "colsample_bylevel": 0.9,
        "lambda": 1, "seed": 0, "nthread": 1,
    }  # fmt: skip
    expected = xgb.train(params, data, 30).predict(data)
    np.testing.assert_array_equal(member.learn(rows, rows, tmp_path).predict(rows)[:, 0], expected)


def test_catboost_is_the_plain_library(tmp_path: Path) -> None:
    import catboost

    rows, member = rows_of("regression"), CatBoost(trees=30, patience=None)
    x = rows.frame.assign(city=rows.frame["city"].map({"Oslo": 1, "Rome": 2, "Ulm": 3}))
    plain = catboost.CatBoostRegressor(
        iterations=30, learning_rate=0.08, bootstrap_type="Bernoulli", subsample=0.9, one_hot_max_size=15, depth=6,
        l2_leaf_reg=3, random_seed=0, thread_count=1, allow_writing_files=False, verbose=0,
    )  # fmt: skip
    expected = plain.fit(x, rows.labels[:, 0], cat_features=["city"]).predict(x)
    np.testing.assert_allclose(member.learn(rows, rows, tmp_path).predict(rows)[:, 0], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("objective=mae", "[objective: regression_l1]"), ("objective=mse", "[objective: regression]"),
        ("objective=quantile alpha=0.2", "[alpha: 0.2]"), ("objective=tweedie", "[objective: tweedie]"),
        ("boosting=dart", "[boosting: dart]"), ("boosting=goss", "[data_sample_strategy: goss]"), ("boosting=rf", "[boosting: rf]"),
        ("extra_trees=true", "[extra_trees: 1]"), ("max_bin=15", "[max_bin: 15]"),
    ],
)  # fmt: skip
def test_boost_passes_its_knobs_on(settings: str, expected: str, tmp_path: Path) -> None:
    rows = rows_of("regression")
    rows = Rows(rows.task, rows.source, rows.at, np.abs(rows.labels) + 1)
    member = Boost(trees=30, text=False).override(*settings.split())
    fitted = member.learn(rows, rows, tmp_path)
    assert expected in fitted.models[0].model_to_string()
    plain = Boost(trees=30, text=False).learn(rows, rows, tmp_path).predict(rows)
    assert np.array_equal(fitted.predict(rows), plain) == (settings == "objective=mse")


def test_quantiles_are_quantiles(tmp_path: Path) -> None:
    rows = rows_of("regression")
    low = Boost(objective="quantile", alpha=0.1, trees=200, patience=None).learn(rows, rows, tmp_path).predict(rows)
    assert 0.03 < (rows.labels < low).mean() < 0.17


def test_knobs_that_would_do_nothing_are_refused() -> None:
    with pytest.raises(KitError, match="objective = mae is a loss of values, and task 't' is binary"):
        Boost(objective="mae").check(rows_of("binary").task)
    with pytest.raises(KitError, match="alpha is a setting of the objectives huber and quantile"):
        Boost(alpha=0.5)
    with pytest.raises(KitError, match="boosting=rf draws rows for each tree"):
        Boost(boosting="rf", rows=1.0)
    assert not Boost(boosting="dart").early_stops_on_valid


@each
def test_without_its_library_the_extra_is_named(
    member: GradientBoosting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if isinstance(member, Boost):
        pytest.skip("LightGBM comes with kit")
    module = type(member).__name__.lower()
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(KitError, match=rf"^{module} is not installed: pip install 'kit\[trees\]'$"):
        member.learn(rows_of("binary"), rows_of("binary"), tmp_path)

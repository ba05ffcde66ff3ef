"""Weights of rows: a column that no member sees, and that every member counts its rows by, or refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import (
    NBSVM,
    Boost,
    CatBoost,
    Estimator,
    KitError,
    Linear,
    Perceptron,
    RealMLP,
    Task,
    TransformedTarget,
    XGBoost,
    log_loss,
    rmse,
)
from kit.members import Seeds
from kit.members.network.fitting import stage_batches
from kit.rows import Rows
from kit.table import Table
from kit.text import Tfidf
from kit.train import Stage
from kit.tta.base import with_views
from kit.tta.text import Window
from tests.helpers.encoders import one_thread  # noqa: F401

N, RNG = 120, np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.integers(0, 6, N), "b": RNG.integers(0, 5, N), "w": RNG.integers(0, 4, N)})
FRAME["t"] = np.where(FRAME.a + RNG.integers(0, 3, N) > 3, "good sun", "bad rain") + np.where(
    FRAME.b > 2, " sea", " hill"
)
VALUES = FRAME.a * 1.0 - FRAME.b + RNG.normal(0, 1.0, N)
Y = {"binary": VALUES > 0.5, "multiclass": np.digitize(VALUES, [-1, 1]), "regression": VALUES + 10}
WORDS = Tfidf(min_df=1, use_idf=False)  # inverse frequencies count rows, not weights
EXACT: dict[str, Any] = {"patience": None, "trees": 25, "lr": 0.1, "rows": 1.0, "columns": 1.0}
MEMBERS = {
    "Boost": Boost(**EXACT, min_leaf=1), "XGBoost": XGBoost(**EXACT, level_columns=1.0),
    "CatBoost": CatBoost(**EXACT, l2=0.0, random_strength=0.0),
    "Linear": Linear(word=WORDS, char=None, tabular=False, tol=1e-6),
    "one against the rest": Linear(word=WORDS, char=None, tabular=False, tol=1e-6, multinomial=False),
    "balanced": Linear(word=WORDS, char=None, tabular=False, tol=1e-6, balanced=True),
    "NBSVM": NBSVM(word=WORDS, tol=1e-6), "balanced NBSVM": NBSVM(word=WORDS, tol=1e-6, balanced=True),
}  # fmt: skip
SMALL = Perceptron(hidden=(8,), dropout=0.0, batch_rows=32, stage=Stage(epochs=20, lr=0.03, precision="fp32"))


def rows_of(kind: Any, frame: pd.DataFrame = FRAME, y: Any = None, weight: str = "w", text: Any = "t") -> Rows:
    classes = {"binary": (0, 1), "multiclass": (0, 1, 2)}.get(kind, ())
    inputs = ("a", "b", *([text] if text else []))
    task = Task(
        name="t", kind=kind, targets="y", metric=rmse if kind == "regression" else log_loss, classes=classes,
        weight=weight, inputs=inputs, text=text, types={"a": "number", "b": "number"},
    )  # fmt: skip
    return Rows.of(task, frame, np.asarray(Y[kind] if y is None else y, float))


def fitted(member: Any, rows: Rows, work: Path) -> np.ndarray:
    return member.learn(rows, rows.take(np.arange(0)), work).predict(rows_of(rows.task.kind, text=rows.task.text[0]))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("name", MEMBERS)
def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_zero_none(name: str, kind: str, tmp_path: Path) -> None:
    member = MEMBERS[name]
    if kind == "regression" and isinstance(member, NBSVM):
        pytest.skip("NBSVM has no regression")
    often = np.repeat(np.arange(N), FRAME.w)
    by_weight = fitted(member, rows_of(kind), tmp_path)
    repeated = fitted(member, rows_of(kind, FRAME.iloc[often], np.asarray(Y[kind])[often], weight=""), tmp_path)
    plain = fitted(member, rows_of(kind, weight=""), tmp_path)
    assert np.allclose(by_weight, repeated, atol=2e-3), np.abs(by_weight - repeated).max()
    assert np.abs(by_weight - plain).max() > 0.02


def test_an_estimator_is_fitted_with_the_weights_or_refuses_them(tmp_path: Path) -> None:
    member, rows = Estimator("LogisticRegression"), rows_of("binary", text=()).weighted()
    fit: Any = member.learn(rows, rows.take(np.arange(0)), tmp_path)
    from sklearn.linear_model import LogisticRegression

    plain = LogisticRegression().fit(fit.inputs(rows), rows.labels[:, 0], sample_weight=rows.weight)
    assert np.allclose(fit.predict(rows)[:, 0], plain.predict_proba(fit.inputs(rows))[:, 1], atol=1e-8)
    with pytest.raises(KitError, match=r"^Estimator with these settings cannot weight its rows, and task 't' has wei"):
        Estimator("KNeighborsClassifier").check(rows.task)
    Estimator("KNeighborsClassifier").check(rows_of("binary", weight="").task)


@pytest.mark.parametrize(
    "member", [SMALL, RealMLP(hidden=(16,), batch_rows=16, stage=SMALL.stage)], ids=["Perceptron", "RealMLP"]
)
def test_networks_learn_from_weighted_rows(member: Any, tmp_path: Path) -> None:
    """Half of the rows have their labels turned round, and nearly no weight."""
    y, turned = np.asarray(Y["binary"], float), np.arange(N) % 2 == 0
    wrong = np.where(turned, 1 - y, y)
    p = {}
    for light in (0.01, 1.0):
        frame = FRAME.assign(w=np.where(turned, light, 1.0))
        fit = member.learn(
            rows_of("binary", frame, wrong, text=()), rows_of("binary", frame, text=()), tmp_path / str(light)
        )
        p[light] = fit.predict(rows_of("binary", text=()))
    assert log_loss(y[:, None], p[0.01]) < log_loss(y[:, None], p[1.0]) - 0.1


def test_weights_of_batches_have_a_mean_of_one_and_rows_of_weight_zero_are_in_none() -> None:
    rows = rows_of("regression", text=()).weighted()
    assert len(rows) == (FRAME.w > 0).sum()
    dataset = SMALL.make_dataset(rows)
    batches = stage_batches(SMALL, SMALL.stages, dataset, rows, rows.labels)[0]
    seen = np.concatenate([batches[at]["weight"].numpy() for at in batches.plan(0)])
    assert np.isclose(seen.mean(), 1) and np.isclose(seen.max() / seen.min(), 3)


def test_weights_stay_with_their_rows(tmp_path: Path) -> None:
    rows = rows_of("regression")
    some = rows.take([5, 3])
    assert some.weight is not None and some.weight.tolist() == FRAME.w[[5, 3]].tolist()
    seen = with_views(some, [Window()], 0)
    assert seen.weight is not None and seen.weight.tolist() == 2 * some.weight.tolist()
    for wrapper in (TransformedTarget(member=MEMBERS["Boost"]), Seeds(member=MEMBERS["Boost"], n=1)):
        kind, without = type(wrapper).__name__, replace(rows, weight=None)
        for name in ("with", "without"):
            (tmp_path / kind / name).mkdir(parents=True)
        with_weights = fitted(wrapper, rows, tmp_path / kind / "with")
        none = fitted(wrapper, without, tmp_path / kind / "without")
        assert np.abs(with_weights - none).max() > 0.02


def test_a_table_hides_the_column_from_members_and_needs_it_in_train_alone() -> None:
    task = Task(name="t", kind="binary", targets="y", metric=log_loss, id="id", weight="w", text="t")
    train = FRAME.assign(id=np.arange(N), y=np.asarray(Y["binary"], int))
    table = Table(task, train, train.drop(columns=["y", "w"]).assign(id=np.arange(N, 2 * N)))
    assert table.inputs == ["a", "b", "t"] and table.test_rows.weight is None
    rows = table.rows(np.array([7, 2]))
    assert rows.weight is not None and rows.weight.tolist() == FRAME.w[[7, 2]].tolist()
    for value in (-1.0, np.nan, np.inf):
        with pytest.raises(
            KitError, match=r"^train.csv: 'w', the weight of rows, holds .*; it must be a number from 0"
        ):
            Table(task, train.assign(w=np.where(np.arange(N) == 3, value, 1.0)), table.test)


def test_what_is_no_weight_is_refused() -> None:
    with pytest.raises(KitError, match=r"weight 'a' is also an input"):
        Task(name="t", kind="binary", targets="y", metric=log_loss, inputs=("a", "b"), weight="a")
    with pytest.raises(KitError, match=r"^frame: column 'v', the weight of rows, is missing"):
        rows_of("binary", weight="v")
    with pytest.raises(KitError, match=r"^'w', the weight of rows, is 0 in all 120 train rows"):
        rows_of("binary", FRAME.assign(w=0)).weighted()

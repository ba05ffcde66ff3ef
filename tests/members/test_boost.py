"""Boost on numbers, categories and texts."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from kit.core import threads
from kit.core.errors import KitError
from kit.members import Boost
from kit.members.trees.base import GradientBoostingPredictor
from kit.metrics import mean_roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task

SMALL = Boost(trees=60, patience=None, lr=0.1, num_leaves=7, min_leaf=5)
KINDS = ["binary", "multilabel", "multiclass", "regression"]


def frame_of(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "id": np.arange(n),
        "size, in [m]": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),  # LightGBM refuses such names
        "a b": rng.integers(0, 5, n),
        "a_b": rng.random(n) < 0.5,
        "count": pd.array(np.where(rng.random(n) < 0.1, None, rng.integers(0, 9, n)), dtype="Int64"),
        "city": rng.choice(["Rome", "Oslo", "Cairo", None], n),
        "level": pd.Categorical(rng.integers(1, 4, n)),
        "text": rng.choice(["why", "WHY!!!", "because of it", ""], n),
    })  # fmt: skip


def rows_of(kind: str, n: int = 400, seed: int = 0, frame: pd.DataFrame | None = None, text: bool = True) -> Rows:
    """Labels that need the number, the category and the text all three."""
    frame = frame_of(n, seed) if frame is None else frame
    a = (frame["size, in [m]"].fillna(-1) > 0).to_numpy()
    b, c = (frame["city"] == "Oslo").to_numpy(), (frame["text"] == "WHY!!!").to_numpy()
    score = a + 2 * b + 2 * c
    y = {
        "binary": score > 1.5,
        "multilabel": np.stack([a, b, c], axis=1),
        "multiclass": np.clip(score, 0, 3),
        "regression": 7 + 100 * score,
    }
    task = Task(
        name="t", kind=kind, metric=mean_roc_auc, text=("text",) if text else (),
        targets=tuple("uvw") if kind == "multilabel" else ("u",), classes=tuple("abcd") if kind == "multiclass" else (),
    )  # fmt: skip
    return Rows.of(task, frame if text else frame.drop(columns="text"), y[kind])


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = threads.threads()
    threads.use_threads(1)
    yield
    threads.use_threads(before)


@pytest.mark.parametrize("kind", KINDS)
def test_learns_every_kind_from_every_column_and_loads_in_the_same_bits(kind: str, tmp_path: Path) -> None:
    train, test = rows_of(kind), rows_of(kind, 200, seed=1)
    before = train.source.frame.copy()
    fitted = SMALL.learn(train, test, tmp_path)
    p = fitted.predict(test)
    assert p.shape == (200, {"multilabel": 3, "multiclass": 4}.get(kind, 1))
    if kind == "regression":
        assert r2_score(test.labels, p) > 0.95
    elif kind == "multiclass":
        np.testing.assert_allclose(p.sum(1), 1)
        assert (p.argmax(1) == test.labels[:, 0]).mean() > 0.9
    else:
        assert (p >= 0).all() and (p <= 1).all()
        assert min(roc_auc_score(y, q) for y, q in zip(test.labels.T, p.T, strict=True)) > 0.98
    fitted.save(tmp_path)
    loaded = GradientBoostingPredictor.load(tmp_path)
    assert np.array_equal(loaded.predict(test), p) and loaded.spec == SMALL
    order = np.random.default_rng(0).permutation(200)
    assert np.array_equal(fitted.predict(test.take(order)), p[order])
    assert np.array_equal(fitted.predict(test.take([3])), p[[3]])
    pd.testing.assert_frame_equal(train.source.frame, before)


def test_more_than_ten_targets_keep_their_order(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(120, 12))
    task = Task(name="t", kind="regression", targets=tuple(f"t{i}" for i in range(12)), metric=mean_roc_auc)
    rows = Rows.of(task, pd.DataFrame(x, columns=[f"c{i}" for i in range(12)]), x + 100 * np.arange(12))
    fitted = SMALL.override("trees=3", "columns=1.0").learn(rows, rows, tmp_path)
    fitted.save(tmp_path)
    p = GradientBoostingPredictor.load(tmp_path).predict(rows)
    np.testing.assert_allclose(p.mean(0), 100 * np.arange(12), atol=1)


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_unseen_and_missing_categories_are_the_same(kind: str, tmp_path: Path) -> None:
    fitted = SMALL.learn(rows_of(kind), rows_of(kind), tmp_path)
    frame = frame_of(100, 2)
    answers = {}
    for city in ("Paris", None, "Oslo", "Rome"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answers[city] = fitted.predict(rows_of(kind, frame=frame.assign(city=pd.Series([city] * 100, dtype="str"))))
    assert np.array_equal(answers["Paris"], answers[None]) and (answers["Oslo"] > answers["Rome"]).mean() > 0.5
    lonely = frame.assign(city=pd.Series([None] * 100, dtype=object), level=pd.Categorical([9] * 100))
    assert np.isfinite(fitted.predict(rows_of(kind, frame=lonely))).all()


def test_categories_come_from_train_rows_alone(tmp_path: Path) -> None:
    rows = rows_of("binary", 400)
    train = rows.take(np.flatnonzero(rows.frame["city"] != "Cairo"))
    fitted = SMALL.learn(train, rows, tmp_path)
    assert fitted.columns.categories == {"city": ["Oslo", "Rome"], "level": ["1", "2", "3"]}


def test_text_can_be_left_out_and_something_must_be_left(tmp_path: Path) -> None:
    rows, test = rows_of("multilabel"), rows_of("multilabel", seed=1)
    blind = SMALL.override("text=false").learn(rows, rows, tmp_path).predict(test)
    assert roc_auc_score(test.labels[:, 2], blind[:, 2]) < 0.65 < roc_auc_score(test.labels[:, 1], blind[:, 1])
    bare = rows_of("multilabel", text=False)
    assert SMALL.learn(bare, bare, tmp_path).predict(bare).shape == (400, 3)
    task = Task(name="empty", kind="binary", targets=("u",), text=("text",), metric=mean_roc_auc)
    only = Rows.of(task, rows.frame[["text"]], rows.labels[:, :1])
    with pytest.raises(KitError, match="task 'empty' has no column to read"):
        SMALL.override("text=false").learn(only, only, tmp_path)
    assert SMALL.learn(only, only, tmp_path).predict(only).shape == (400, 1)


def test_text_statistics_are_made_once_for_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of("binary")
    kept = [Rows(rows.task, Source(rows.source.frame, tmp_path / "cache"), rows.at, rows.y) for _ in range(2)]
    expected = SMALL.learn(rows, rows, tmp_path).predict(rows)
    SMALL.prepare(kept[0])
    monkeypatch.setattr("kit.text.statistics.text_statistics", lambda texts: pytest.fail("made again"))
    assert np.array_equal(SMALL.learn(kept[1], kept[1], tmp_path).predict(kept[1]), expected)


def noise(n: int = 300, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    task = Task(name="t", kind="multilabel", targets=("u", "v"), metric=mean_roc_auc)
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    return Rows.of(task, frame, np.stack([rng.random(n) < 0.5, frame["a"] + rng.normal(0, 0.1, n) > 0], axis=1))


def test_stops_when_the_validation_loss_does_not_fall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown, update = [], lightgbm.Booster.update
    monkeypatch.setattr(
        lightgbm.Booster, "update", lambda self, *a, **k: grown.append(id(self)) or update(self, *a, **k)
    )
    train, valid = noise(), noise(seed=1)
    spec = SMALL.override("trees=200", "patience=10")
    fitted = spec.learn(train, valid, tmp_path)
    luck, signal = (b.best_iteration for b in fitted.models)
    assert [*Counter(grown).values()] == [luck + 10, min(200, signal + 10)] and luck < 60 and signal > 2 * luck
    whole = spec.override("patience=none").learn(train, valid, tmp_path)
    assert [b.current_iteration() for b in whole.models] == [200, 200]

    def loss(p: np.ndarray) -> float:
        return -np.log(np.where(valid.labels[:, 0] == 1, p[:, 0], 1 - p[:, 0])).mean()

    staged = [whole.models[0].predict(valid.frame, num_iteration=k)[:, None] for k in range(1, luck + 11)]
    assert 1 + int(np.argmin([loss(p) for p in staged])) == luck  # it kept the best number of trees
    np.testing.assert_array_equal(fitted.predict(valid)[:, :1], staged[luck - 1])
    fitted.save(tmp_path)
    assert np.array_equal(GradientBoostingPredictor.load(tmp_path).predict(valid), fitted.predict(valid))
    unjudged = spec.learn(train, Rows(valid.task, valid.source, valid.at), tmp_path)
    assert [b.current_iteration() for b in unjudged.models] == [200, 200]


def test_uses_the_validation_rows_only_for_early_stopping(tmp_path: Path) -> None:
    assert (
        Boost().early_stops_on_valid
        and Boost(patience=1).early_stops_on_valid
        and not Boost(patience=None).early_stops_on_valid
    )
    train, valid = noise(), noise(seed=1)
    flipped = Rows(valid.task, valid.source, valid.at, 1 - valid.labels)
    p, q = (SMALL.learn(train, v, tmp_path).predict(valid) for v in (valid, flipped))
    assert np.array_equal(p, q)


@pytest.mark.parametrize("patience", [5, None])
@pytest.mark.parametrize("value", [0, 1])
def test_a_column_of_one_class_is_predicted_with_certainty(value: int, patience: int | None, tmp_path: Path) -> None:
    train, valid = noise(), noise(seed=1)
    train.labels[:, 0] = value
    p = SMALL.override(f"patience={patience}").learn(train, valid, tmp_path).predict(valid)
    assert np.isfinite(p).all() and (np.abs(p[:, 0] - value) < 0.01).all() and p[:, 1].std() > 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_again_with_any_threads_and_others_with_another_seed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, spec, train, given = rows_of(kind), SMALL.override("trees=20"), lightgbm.train, []
    monkeypatch.setattr(
        lightgbm, "train", lambda params, *rest, **how: given.append(params) or train(params, *rest, **how)
    )
    p = spec.learn(rows, rows, tmp_path).predict(rows)
    assert np.array_equal(spec.learn(rows, rows, tmp_path).predict(rows), p)
    assert not np.array_equal(spec.override("seed=1").learn(rows, rows, tmp_path).predict(rows), p)
    assert given and all(params["deterministic"] is True for params in given)  # few rows agree by luck without it
    threads.use_threads(2)
    assert np.array_equal(spec.learn(rows, rows, tmp_path).predict(rows), p)


def test_settings_reach_the_trees(tmp_path: Path) -> None:
    rows = rows_of("binary")
    for setting, value in (
        ("num_leaves", 3),
        ("min_leaf", 60),
        ("lr", 0.5),
        ("l1", 5.0),
        ("l2", 50.0),
        ("columns", 0.2),
        ("rows", 0.3),
    ):
        assert getattr(SMALL, setting) != value
        spec = SMALL.override("trees=5", f"{setting}={value}")
        tree = spec.learn(rows, rows, tmp_path).models[0].dump_model()["tree_info"]
        plain = SMALL.override("trees=5").learn(rows, rows, tmp_path).models[0].dump_model()["tree_info"]
        assert tree != plain, setting
    assert spec.learn(rows, rows, tmp_path).models[0].num_trees() == 5

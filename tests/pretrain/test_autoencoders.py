"""Autoencoders of tables as features: learnt once from all rows without labels, kept, resumed, read by every member."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kit.pretrain.autoencoders as autoencoders
from kit import (
    DAE,
    VAE,
    Boost,
    Estimator,
    KitError,
    Linear,
    LoopStage,
    Member,
    Perceptron,
    PretrainedTabular,
    Rows,
    Stage,
    Table,
    Task,
    TransformerDAE,
    roc_auc,
)  # fmt: skip
from kit.core.classes import class_named
from kit.features.base import FittedFeatures
from kit.pretrain.autoencoders import TableAutoencoder
from kit.source import Source
from kit.train.objectives import Reconstruction

TASK = Task(name="t", kind="binary", targets="y", metric=roc_auc)
STAGE = LoopStage(epochs=1, min_steps=40, lr=3e-3, weight_decay=0.0, precision="fp32")
KINDS = [
    DAE(hidden=(8, 6), stage=STAGE),
    DAE(hidden=(8, 6), stage=STAGE, layerwise=STAGE, mask=0.5, take=(2,)),
    TransformerDAE(tokens=2, width=4, heads=2, blocks=2, stage=STAGE, take=(1,)),
    VAE(hidden=(8,), code=3, stage=STAGE),
]
NAMES = ["dae", "layerwise", "transformer", "vae"]


def frame_of(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    frame = pd.DataFrame({f"x{i}": z * (i + 1) + rng.normal(size=n) for i in range(3)})
    frame["word"] = np.where(z > 0, "up", np.where(z < -1, "far down", "down"))
    frame.loc[::7, "x1"] = np.nan
    return frame


def labels_of(frame: pd.DataFrame) -> np.ndarray:
    return (frame["x0"] > 0).to_numpy(float)


@pytest.mark.parametrize("features", KINDS, ids=NAMES)
def test_features_have_names_and_are_the_same_for_a_saved_model_and_new_rows(features: Any, tmp_path: Path) -> None:
    rows = Rows.of(TASK, frame_of(120), labels_of(frame_of(120)))
    fitted, train = features.fit_transform(rows)
    assert list(train.columns) == features.names(rows) and len(set(train.columns)) == train.shape[1]
    assert (
        train.shape[1]
        == {"DAE": 6 if features.model_dump().get("take") else 14, "TransformerDAE": 8, "VAE": 3}[
            type(features).__name__
        ]
    )
    assert np.isfinite(train.to_numpy()).all() and (train.to_numpy().std(0) > 0).any()
    fitted.save(tmp_path)
    again = class_named(type(fitted).__name__, FittedFeatures).load(tmp_path)
    new = frame_of(30, seed=1).assign(word=["never seen", *frame_of(30, seed=1)["word"][1:]])
    found = again.transform(Rows.of(TASK, new, schema=rows.source.schema))
    assert np.array_equal(found, fitted.transform(Rows.of(TASK, new, schema=rows.source.schema)))
    alone = again.transform(Rows.of(TASK, new.iloc[3:4], schema=rows.source.schema))
    assert np.allclose(alone, found.iloc[3:4], atol=1e-5)  # a row is encoded by itself, not with those beside it
    assert np.array_equal(features.of(Rows.of(TASK, frame_of(120))), train)  # labels teach nothing


@pytest.mark.parametrize("features", KINDS, ids=NAMES)
def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(
    features: TableAutoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(folder: str) -> Rows:
        found = Rows.of(TASK, frame_of(90))
        source = Source(found.source.frame, tmp_path / folder, schema=found.source.schema)
        return Rows(TASK, source, np.arange(90))

    whole = features.of(rows("whole"))
    monkeypatch.setattr(autoencoders, "SAVE_EVERY", 0.0)
    step, calls = Reconstruction.__call__, []

    def killed(self: Any, *given: Any) -> Any:
        calls.append(1)
        if len(calls) == 25:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(Reconstruction, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        features.of(rows("killed"))
    [work] = tmp_path.glob("killed/*/*.work")
    assert (work / "last.pt").exists()
    resumed = features.of(rows("killed"))
    assert len(calls) < 25 + 40 and resumed.tobytes() == whole.tobytes()
    assert not [*tmp_path.glob("killed/*/*.work")]
    features.of(rows("killed"))
    assert len(calls) < 25 + 40  # kept: nothing is trained again


def test_test_and_extra_rows_are_learnt_from() -> None:
    def values(extra: int) -> np.ndarray:
        train = frame_of(60).assign(y=labels_of(frame_of(60)), id=range(60))
        test = frame_of(40, seed=1).assign(id=range(60, 100))
        more = {"more.csv": frame_of(extra, seed=2)} if extra else {}
        table = Table(TASK, train, test, extra=more)
        learnt = KINDS[0].learnt(table.rows(np.arange(30)))
        return learnt.values(table.source, TASK)

    plain, more = values(0), values(50)
    assert plain.shape == (100, 14) and more.shape == (150, 14)
    assert not np.allclose(plain, more[:100], atol=1e-3)


def test_structure_that_unlabelled_rows_show_helps_a_linear_model() -> None:
    """Labels follow the sign of a product that no linear model sees; many rows without labels show its four clusters."""
    rng = np.random.default_rng(0)

    def clusters(n: int) -> tuple[pd.DataFrame, np.ndarray]:
        a, b = rng.choice([-1, 1], size=(2, n))
        mixing = np.random.default_rng(9).normal(size=(2, 10))
        x = np.column_stack([a, b]) @ mixing + 0.3 * rng.normal(size=(n, 10))
        return pd.DataFrame(x, columns=[f"x{i}" for i in range(10)]), (a == b).astype(float)

    (few, y), (many, _), (other, true) = clusters(60), clusters(600), clusters(300)
    few = few.assign(y=y, id=range(60))
    table = Table(TASK, few, other.assign(id=range(60, 360)), extra={"many.csv": many})
    stage = LoopStage(epochs=1, min_steps=300, lr=3e-3, weight_decay=0.0, precision="fp32")
    dae = DAE(hidden=(48, 48), stage=stage)

    def score(member: Member) -> float:
        fitted = member.learn(table.rows(np.arange(60)), table.rows(np.arange(0)), Path())
        return roc_auc(true[:, None], fitted.predict(table.test_rows))

    assert score(Linear()) < 0.7 and score(Linear(features=(dae,), tabular=False)) > 0.95


@pytest.mark.parametrize(
    "member",
    [
        Linear(features=(KINDS[0],)),
        Boost(features=(KINDS[1],), trees=20, patience=None, min_leaf=5),
        Perceptron(features=(KINDS[3],), hidden=(8,), stage=Stage(min_steps=60, lr=1e-2, precision="fp32")),
        Estimator("sklearn.neighbors.KNeighborsClassifier", features=(KINDS[2],)),
        PretrainedTabular(start=KINDS[0], stage=Stage(min_steps=60, lr=1e-2, precision="fp32")),
        PretrainedTabular(start=KINDS[3], stage=Stage(min_steps=60, lr=1e-2, layer_decay=0.5, precision="fp32")),
    ],
    ids=lambda member: type(member).__name__,
)
def test_members_learn_from_them_and_are_saved(member: Member, tmp_path: Path) -> None:
    frame, new = frame_of(150), frame_of(100, seed=5)
    fitted = member.fit(frame.assign(), pd.Series(labels_of(frame), name="y"))
    predicted = fitted.predict(new)
    assert roc_auc(labels_of(new)[:, None], predicted) > 0.85
    fitted.save(tmp_path)
    assert np.array_equal(type(fitted).load(tmp_path).predict(new), predicted)


def test_a_network_begins_with_the_weights_of_the_autoencoder() -> None:
    rows = Rows.of(TASK, frame_of(80), labels_of(frame_of(80)))
    member = PretrainedTabular(start=KINDS[0])
    dataset = member.make_dataset(rows)
    body = member.make_body(dataset, rows)
    found = body(dataset.inputs(rows).padded(np.arange(80))["cells"]).detach().numpy()
    assert np.allclose(found, KINDS[0].of(rows)[:, 8:], atol=1e-5)
    assert [body.layer_of(f"model.{name}") for name in ("input.weight", "layers.0.x", "layers.1.0.weight")] == [2, 1, 0]


def test_rare_values_share_an_id() -> None:
    frame = pd.DataFrame({"k": pd.Categorical([*"aaabbbccd", None], list("abcd"))})
    from kit.pretrain.cells import TableCells
    from kit.tables.scalers import RankGauss

    assert TableCells.fit(frame, RankGauss(), 4).of(frame)[:, 0].tolist() == [2, 2, 2, 3, 3, 3, 1, 1, 1, 0]
    assert TableCells.fit(frame, RankGauss(), 5).of(frame)[:, 0].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 4, 0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(take=(4,)), "no layer 4; there are 1 to 3"),
        (dict(noise=0.0, layerwise=STAGE), "noise = 0 leaves layerwise nothing to learn"),
        (dict(columns=("gone",)), "no column 'gone'; there are: x0, x1, x2, word"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, said: str) -> None:
    with pytest.raises(KitError, match=said):
        DAE(**settings).of(Rows.of(TASK, frame_of(20)))


def test_columns_can_be_chosen_and_the_seed_counts() -> None:
    rows = Rows.of(TASK, frame_of(60))
    narrow = DAE(hidden=(4,), stage=STAGE, columns=("x0", "word"))
    other = Rows.of(TASK, frame_of(60).assign(x2=0.5, x1=range(60)))
    assert np.array_equal(narrow.of(rows), narrow.of(other))
    assert not np.array_equal(narrow.of(rows), narrow.model_copy(update={"seed": 1}).of(rows))

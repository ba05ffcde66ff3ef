"""Pictures that cannot be read beside text and columns: the other parts tell, in training and in prediction."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from kit import Boost, Embedding, KFold, Linear, Recipe, roc_auc
from kit.augment import ImageAugment
from kit.core.errors import KitError
from kit.members import Concat, Perceptron, Seeds, TextNet, Views
from kit.members.network.augmented import AugmentedRows
from kit.members.network.fitted import NetworkPredictor
from kit.models.body import OneBody
from kit.models.concat import ConcatModule
from kit.rows import Rows
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.table import Table
from kit.task import Task
from kit.train import Stage
from kit.train.lengths import LengthBatches
from kit.tta import Flips
from tests.helpers.encoders import one_thread  # noqa: F401
from tests.helpers.picture_run import photo
from tests.helpers.pictures import noise, png, rows_of, tiny

TASK = Task(name="both", kind="binary", targets=("y",), images=("i",), inputs=("i", "x"), metric=roc_auc)
STAGE = Stage(epochs=8, lr=3e-3, head_lr=2e-2, precision="fp32")
JOIN = Concat(a=tiny(size=16), b=Perceptron(hidden=(8,)), stage=STAGE, batch_rows=16)


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_THREADS", "1")  # more of them only wait for each other on so few rows


def frame(n: int, missing: float, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose label follows from a number and from whether a picture is bright, and their labels."""
    rng = np.random.default_rng(seed)
    x, bright = rng.normal(size=n), rng.random(n) < 0.5
    y = x + 1.5 * (bright - 0.5) + rng.normal(0, 0.3, n) > 0
    cells = [photo(seed * 1000 + i, bool(b)) for i, b in enumerate(bright)]
    for i in np.flatnonzero(rng.random(n) < missing):
        cells[i] = b"<html>" if i % 2 else None  # type: ignore[call-overload]
    return pd.DataFrame({"i": pd.Series(cells, dtype=object), "x": x}), y.astype(float)


def rows(n: int, missing: float, seed: int = 0, task: Task = TASK) -> Rows:
    made, y = frame(n, missing, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Rows.of(task, made, y)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_row_without_a_picture_is_predicted_as_well_as_by_its_columns_alone(missing: float, tmp_path: Path) -> None:
    train, whole, bare = rows(100, missing), rows(80, 0.0, 1), rows(80, 1.0, 2)
    joined, alone = (
        spec.learn(train, train.take(np.arange(0)), tmp_path / str(i))
        for i, spec in enumerate((JOIN, Perceptron(hidden=(8,), stage=STAGE)))
    )
    p = joined.predict(bare)
    assert roc_auc(bare.labels, p) >= roc_auc(bare.labels, alone.predict(bare)) - 0.02
    assert np.ptp(p) > 0.3 and 0.3 < p.mean() < 0.7  # as sure as the number lets it be, and of neither class by itself
    assert roc_auc(whole.labels, joined.predict(whole)) > roc_auc(whole.labels, alone.predict(whole)) + 0.02
    other = bare.source.frame.assign(i=pd.Series([b"another fault"] * 80, dtype=object))
    with pytest.warns(UserWarning, match="80 pictures cannot be read"):
        again = Rows.of(TASK, other)
    np.testing.assert_allclose(joined.predict(again), p, atol=1e-6)  # whatever it is that cannot be read
    (tmp_path / "model").mkdir()
    joined.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(bare), p)


def test_what_is_missing_is_the_mean_of_the_train_rows(tmp_path: Path) -> None:
    train = rows(40, 0.25)
    fitted = JOIN.override("stage.epochs=1").learn(train, train, tmp_path)
    body, inputs = fitted.net.body.eval(), fitted.dataset.inputs(train)
    good = np.flatnonzero(inputs.gaps[0])
    with torch.no_grad():
        features = body(**inputs.padded(np.arange(40)))
        picture = body.parts[0](inputs.padded(good)["part0_pixels"])
    width = picture.shape[1]
    torch.testing.assert_close(features[good, :width], picture, atol=1e-5, rtol=1e-4)
    bad = np.setdiff1d(np.arange(40), good)
    expected = picture.mean(0).expand(len(bad), -1)
    torch.testing.assert_close(features[bad, :width], expected, atol=1e-5, rtol=1e-4)
    assert 0 < len(bad) < 20 and inputs.gaps[1] is None and inputs.readable.all()


class Normed(OneBody):
    """A batch norm, which must not count rows that cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.num_features = nn.BatchNorm1d(3), 3
        self.pretrained: list[nn.Module] = []
        self.features_are_fixed = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


def test_rows_that_cannot_be_read_change_no_statistics() -> None:
    joined, plain = ConcatModule([Normed(), Normed()], may_lack=(True, False)).train(), Normed().train()
    x, there = torch.randn(6, 3), torch.tensor([True, False, True, True, False, True])
    found = joined(part0_x=x, part0_readable=there, part1_x=x)
    expected = plain(x[there])
    torch.testing.assert_close(found[there, :3], expected)
    torch.testing.assert_close(found[~there, :3], expected.mean(0).expand(2, 3))  # in training, of the batch
    torch.testing.assert_close(joined.parts[0].norm.running_mean, plain.norm.running_mean)
    torch.testing.assert_close(found[:, 3:], Normed().train()(x))
    none = joined(part0_x=x, part0_readable=there & False, part1_x=x)
    assert torch.equal(none[:, :3], torch.zeros(6, 3))  # nothing is known yet
    joined.eval().settle(lambda: iter([{"part0_x": x, "part0_readable": there, "part1_x": x}]))
    with torch.no_grad():
        mean = joined.parts[0](x[there]).mean(0)
        torch.testing.assert_close(joined(part0_x=x, part0_readable=~there & False, part1_x=x)[0, :3], mean)
    assert not ConcatModule([Normed()]).means and "means.0.mean" in joined.state_dict()


@pytest.mark.parametrize(
    "setting",
    [
        "stop=inner inner=0.3",
        "stage.schedule=CosineRestarts(cycles=2) stage.average=Snapshots(cycles=2)",
        "stage.only_head=true",
        "start=fitted",
        "stage.size=24",
    ],
)
def test_every_kind_of_stage_takes_such_rows(setting: str, tmp_path: Path) -> None:
    train, bare = rows(36, 0.3), rows(12, 1.0, 2)
    spec = JOIN.override("stage.epochs=2", *setting.split())
    fitted = spec.learn(train, train, tmp_path)
    p = fitted.predict(bare)
    assert np.isfinite(p).all() and len(np.unique(p.round(5))) > 6
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(bare), p)
    states = fitted.snapshots or [fitted.net.state_dict()]
    means = [state["body.means.0.mean"] for state in states]
    assert all(mean.abs().sum() > 0 for mean in means) and len({tuple(mean.tolist()) for mean in means}) == len(states)


@pytest.mark.parametrize("setting", ["stage.only_head=true", "stage.augment=ImageAugment"])
def test_a_killed_fit_with_such_rows_goes_on_to_the_same_bits(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, bare = rows(36, 0.3), rows(12, 1.0, 2)
    spec = JOIN.override("stage.epochs=2", "save_every=0", "workers=0", *setting.split())
    whole = spec.learn(train, train, tmp_path / "whole")
    get, left = LengthBatches.batch, [3]

    def failing(self: Any, *given: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return get(self, *given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LengthBatches, "batch", failing)
        spec.learn(train, train, tmp_path / "killed")
    assert torch.load(tmp_path / "killed" / "last.pt", weights_only=True)["step"] == 2
    again = spec.learn(train, train, tmp_path / "killed")
    assert all(torch.equal(w, again.net.state_dict()[name]) for name, w in whole.net.state_dict().items())
    np.testing.assert_array_equal(again.predict(bare), whole.predict(bare))


def test_views_of_such_rows_are_predicted_by_the_rest_too(tmp_path: Path) -> None:
    train, bare = rows(36, 0.3), rows(12, 1.0, 2)
    seen = Views(member=JOIN.override("stage.epochs=1"), views=(Flips(),)).learn(train, train, tmp_path)
    np.testing.assert_allclose(seen.predict(bare), seen.predictor.predict(bare), atol=1e-6)  # no picture, no other view
    assert not np.allclose(seen.predict(train), seen.predictor.predict(train), atol=1e-6)


def test_changed_rows_say_it_too() -> None:
    train = rows(16, 0.3)
    dataset = JOIN.make_dataset(train)
    changed = AugmentedRows(dataset, train, ImageAugment(), 1.0, 0)
    plain = dataset.inputs(train).padded(np.arange(16))
    read = pickle.loads(pickle.dumps(changed.read))(changed.job(1, np.arange(16)))  # in a worker process
    assert read.keys() == plain.keys() and torch.equal(read["part0_readable"], plain["part0_readable"])
    assert 4 < int(read["part0_readable"].sum()) < 16


def test_a_join_of_pictures_alone_learns_nothing_from_such_rows(tmp_path: Path) -> None:
    cells = [png(noise(i)) for i in range(10)]
    whole, broken = rows_of(cells), rows_of([*cells, b"none"], [*(np.arange(10) % 2), 1])
    spec = Concat(a=tiny(), b=tiny("test_efficientnet"), stage=STAGE.model_copy(update={"epochs": 1}), batch_rows=8)
    assert spec.reads_only_images and Views(member=spec).reads_only_images and Seeds(member=tiny()).reads_only_images
    assert "missing" in JOIN.identity() and "missing" not in spec.identity() and "missing" not in Concat().identity()
    assert not JOIN.reads_only_images and not TextNet().reads_only_images and not Boost().reads_only_images
    fitted = spec.learn(broken, broken, tmp_path / "a")
    p = fitted.predict(broken)
    assert p[10, 0] == 0.5 and not fitted.net.body.means
    np.testing.assert_allclose(p[:10], spec.learn(whole, whole, tmp_path / "b").predict(whole), atol=1e-6)
    with pytest.raises(KitError, match="no picture of these 1 train rows can be read"):
        spec.learn(rows_of([b"x"]), whole, tmp_path / "c")


def test_a_broken_picture_of_several_counts_for_nothing() -> None:
    cells = [png(noise(i)) for i in range(3)]
    rows = rows_of([(cells[0], b"none", cells[1]), tuple(cells), (b"none", b"")])
    spec = tiny()
    dataset = spec.make_dataset(rows)
    inputs = dataset.inputs(rows)
    assert inputs.length.tolist() == [2, 3, 1] and inputs.readable.tolist() == [True, True, False]
    body = spec.make_body(dataset, rows).eval()
    alone = rows_of([(cells[0], cells[1]), tuple(cells)])
    with torch.no_grad():
        found = body(**inputs.padded(np.arange(2)))
        expected = body(**dataset.inputs(alone).padded(np.arange(2)))
    torch.testing.assert_close(found, expected)


def test_frozen_features_of_such_rows_are_missing_and_the_columns_tell(tmp_path: Path) -> None:
    features = Embedding(encoder=tiny(size=16))
    train, bare = rows(100, 0.2), rows(60, 1.0, 2)
    values = features.of(train)
    assert np.array_equal(np.isnan(values).all(axis=1), np.isnan(values).any(axis=1))
    missing = np.array([cell is None or cell == b"<html>" for cell in train.source.frame["i"]])
    assert np.array_equal(np.isnan(values).any(axis=1), missing) and 10 < missing.sum() < 40
    for member in (Boost(features=(features,), trees=40, min_leaf=4), Linear(features=(features,), tabular=True)):
        p = member.learn(train, train, tmp_path).predict(bare)
        assert roc_auc(bare.labels, p) > 0.7, type(member).__name__


class Both(Recipe):
    task = TASK.model_copy(update={"id": "id"})
    folds = KFold(n=2)
    net = JOIN.override("stage.epochs=2")
    alone = tiny()


def test_a_run_predicts_a_test_row_by_what_it_has(tmp_path: Path) -> None:
    train, y = frame(40, 0.1, 0)
    test, _ = frame(8, 0.0, 3)
    test.loc[6:, "i"] = [b"<html>", b"<html>"]
    test.loc[6:, "x"] = [-3.0, 3.0]
    ids = [f"r{i}" for i in range(48)]
    table = Table(Both.task, train.assign(id=ids[:40], y=y.astype(int)), test.assign(id=ids[40:]))
    assert [note.partition(":")[0] for note in table.notes if note.endswith("what cannot be read counts as empty")] == [
        "train.csv", "test.csv",
    ]  # fmt: skip
    run = Run(Both(), table, tmp_path)
    assert {outcome.state for outcome in fit_jobs(jobs_of(run, ["net", "alone"], None)).values()} == {"done"}
    for kept in run.gathered("net").values():
        assert kept.test[7, 0] > kept.test[6, 0] + 0.02
    for kept in run.gathered("alone").values():
        np.testing.assert_allclose(kept.test[6:, 0], kept.test[:6, 0].mean(), rtol=1e-5)

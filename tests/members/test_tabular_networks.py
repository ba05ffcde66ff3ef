"""Networks of tables: mixed columns, what they learn from train rows alone, techniques, and going on after a kill."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import kit.members
from kit.core.errors import KitError
from kit.members import Concat, FTTransformer, RealMLP, TabM, TabularResNet, TextNet
from kit.members.tabular.network import TabularNetwork
from kit.members.tabular.numbers import PBLD, LinearNumbers, Periodic, PiecewiseLinear
from kit.metrics import log_loss, mae, rmse, roc_auc
from kit.rows import Rows
from kit.tables.scalers import QuantileScaling, RankGauss, RobustScaling, StandardScaling
from kit.task import Task
from kit.testing import check_member
from kit.train import Constant, FlatCosine, Stage
from tests.helpers.members import tiny_member

NETWORKS = ["Perceptron", "RealMLP", "TabM", "FTTransformer", "TabularResNet"]
TASK = Task(name="t", kind="binary", targets=("y",), metric=roc_auc)
TASKS = {
    "binary": TASK,
    "multiclass": Task(name="t", kind="multiclass", targets=("y",), classes=("a", "b", "c"), metric=log_loss),
    "regression": Task(name="t", kind="regression", targets=("y", "z"), metric=rmse),
}


def mixed_rows(kind: str = "binary", n: int = 90, seed: int = 0) -> Rows:
    """Numbers with gaps, a constant, counts, categories with gaps, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    x, k = rng.normal(size=n), rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.2, np.nan, x),
            "huge": np.exp(4 * rng.normal(size=n)),
            "count": rng.poisson(1.0, n),
            "same": 7.0,
            "kind": [None if gap else "uvw"[i] for gap, i in zip(rng.random(n) < 0.1, k, strict=True)],
            "many": [f"m{i}" for i in rng.integers(0, 20, n)],
        }
    )
    signal = x + (k == 1) - (k == 2) + 0.3 * rng.normal(size=n)
    y = {
        "binary": (signal > 0).astype(float)[:, None],
        "multiclass": np.digitize(signal, [-0.5, 0.5]).astype(float)[:, None],
        "regression": np.stack([100 + 20 * signal, 1e-3 * x], axis=1),
    }[kind]
    return Rows.of(TASKS[kind], frame, y)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_keeps_the_contract_on_mixed_columns(name: str, kind: str, tmp_path: Path) -> None:
    check_member(tiny_member(name, tmp_path), mixed_rows(kind), tmp_path)


def quick(name: str, **settings: Any) -> TabularNetwork:
    """A member that learns the signal of `mixed_rows` within seconds."""
    brief = {"epochs": 12, "precision": "fp32", "schedule": Constant(), "warmup": 0.0}
    stage = Stage(**{"lr": 0.01, **brief, **settings.pop("stage", {})})
    widths: dict[str, dict[str, Any]] = {
        "Perceptron": {"hidden": (32,)},
        "RealMLP": {"hidden": (32, 32)},
        "TabM": {"width": 16, "members": 4},
        "FTTransformer": {"width": 16, "heads": 2, "hidden": 16},
        "TabularResNet": {"width": 16, "hidden": 16},
    }
    made = {"stop": "none", "patience": None, "batch_rows": 32, "stage": stage} | widths[name] | settings
    return getattr(kit.members, name)(**made)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_numbers_and_categories(name: str, tmp_path: Path) -> None:
    train, valid = mixed_rows(n=500), mixed_rows(n=200, seed=1)
    fitted = quick(name).learn(train, valid, tmp_path)
    assert roc_auc(valid.labels, fitted.predict(valid)) > 0.85
    unknown = Rows.of(TASK, valid.frame.assign(kind="never seen"))
    missing = Rows.of(TASK, valid.frame.assign(kind=None))
    np.testing.assert_allclose(fitted.predict(unknown), fitted.predict(missing), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_values_are_predicted_in_their_own_unit(name: str, tmp_path: Path) -> None:
    train, valid = mixed_rows("regression", 500), mixed_rows("regression", 200, seed=1)
    p = quick(name).learn(train, valid, tmp_path).predict(valid)
    for column in range(2):
        y = valid.labels[:, [column]]
        assert mae(y, p[:, [column]]) < 0.75 * mae(y, np.full_like(y, np.median(train.labels[:, column])))


@pytest.mark.parametrize("numbers", [None, LinearNumbers(), PiecewiseLinear(bins=8), Periodic(), PBLD()], ids=str)
@pytest.mark.parametrize("scaling", [StandardScaling(), RobustScaling(), QuantileScaling(), RankGauss()], ids=str)
def test_numbers_and_scales(numbers: Any, scaling: Any, tmp_path: Path) -> None:
    train, valid = mixed_rows(n=300), mixed_rows(n=200, seed=1)
    fitted = quick("Perceptron", numbers=numbers, scaling=scaling).learn(train, valid, tmp_path)
    p = fitted.predict(valid)
    assert roc_auc(valid.labels, p) > 0.8
    (tmp_path / "saved").mkdir()
    fitted.save(tmp_path / "saved")
    np.testing.assert_array_equal(type(fitted).load(tmp_path / "saved").predict(valid), p)


@pytest.mark.parametrize("name", ["Perceptron", "TabM"])
def test_other_rows_have_no_say_in_scales_bins_and_categories(name: str, tmp_path: Path) -> None:
    rows = mixed_rows(n=120)
    odd = rows.frame.copy()
    odd.loc[80:, ["x", "huge", "count"]] *= 1e6
    odd.loc[80:, "many"] = [f"other{i}" for i in range(40)]
    other = Rows.of(TASK, odd, rows.labels)
    first, second = (
        quick(name).learn(given.take(np.arange(80)), given, tmp_path / str(i)).predict(given.take(np.arange(80)))
        for i, given in enumerate((rows, other))
    )
    np.testing.assert_array_equal(first, second)


TECHNIQUES = [
    "perturb=FGM(eps=0.5)",
    "perturb=VAT",
    "perturb=AWP",
    "rdrop=5",
    "mix=EmbeddingMixup",
    "noise=GaussianNoise(std=0.5)",
    "average=EMA(decay=0.9)",
    "average=SWA(since=0)",
    "anneal=FlatCosine",
    "schedule=CosineLog",
    "loss=Focal",
    "stage.precision=bf16",
    "then=Stage(epochs=2,lr=0.01,precision=fp32,perturb=FGM)",
]


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_technique_reaches_every_network(name: str, technique: str, tmp_path: Path) -> None:
    rows = mixed_rows()
    plain = quick(name, dropout=0.3, stage={"epochs": 3, "weight_decay": 0.1})
    answers = [
        spec.learn(rows, rows, tmp_path / str(i)).predict(rows)
        for i, spec in enumerate((plain, plain.override(technique)))
    ]
    assert np.isfinite(answers).all() and np.abs(answers[0] - answers[1]).max() > 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_a_killed_fit_goes_on_to_the_same_bits(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kit.train import checkpoint

    rows = mixed_rows()
    spec = quick(name, dropout=0.3, save_every=0, stop="inner", stage={"epochs": 4, "anneal": FlatCosine()})
    expected = spec.learn(rows, rows, tmp_path / "whole").predict(rows)
    real, saves = checkpoint.Checkpointer.save, []

    def killed(self: Any, *given: Any, **named: Any) -> None:
        real(self, *given, **named)
        saves.append(1)
        if len(saves) == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(checkpoint.Checkpointer, "save", killed)
        spec.learn(rows, rows, tmp_path / "killed")
    assert torch.load(tmp_path / "killed" / "last.pt", weights_only=True)["step"] == 6
    np.testing.assert_array_equal(spec.learn(rows, rows, tmp_path / "killed").predict(rows), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_as_a_part_of_concat(name: str, tmp_path: Path) -> None:
    task = Task(name="t", kind="binary", targets=("y",), text=("words",), metric=roc_auc)
    rows = mixed_rows()
    frame = rows.frame.assign(words=["good sun" if y else "bad rain" for y in rows.labels[:, 0]])
    rows = Rows.of(task, frame, rows.labels)
    stage = Stage(epochs=2, precision="fp32", lr=0.01)
    joined = Concat(a=TextNet(min_count=1, width=8), b=quick(name), stage=stage, batch_tokens=512)
    check_member(joined, rows, tmp_path)


def test_batches_grow_with_the_train_rows(tmp_path: Path) -> None:
    member = quick("TabularResNet", batch_rows=0, stage={"epochs": 1})
    small = member.learn(mixed_rows(n=80), mixed_rows(), tmp_path)
    assert small.spec.batch_rows == 64 and member.batch_rows == 0  # type: ignore[attr-defined]
    large = mixed_rows(n=90).take(np.arange(90).repeat(40))
    assert member.learn(large, large, tmp_path / "large").spec.batch_rows == 128  # type: ignore[attr-defined]


def test_heads_of_its_own_are_not_replaced(tmp_path: Path) -> None:
    rows = mixed_rows()
    for setting in ("head_hidden=4", "regularise.heads=2", "regularise.samples=2"):
        with pytest.raises(KitError, match="TabMModule brings a head of its own, which"):
            quick("TabM").override(setting).learn(rows, rows, tmp_path)
    with pytest.raises(KitError, match="spectral norm needs a linear or convolution layer, and the SeparateHeads"):
        quick("TabM").override("regularise.spectral_norm=true").learn(rows, rows, tmp_path)


def test_settings_of_tokens() -> None:
    with pytest.raises(KitError, match="heads = 8 must divide width = 12"):
        FTTransformer(width=12)
    with pytest.raises(KitError, match="numbers.width = 8 must be the width of a token, 64"):
        FTTransformer(numbers=PiecewiseLinear())
    with pytest.raises(KitError, match="one_hot has no effect"):
        FTTransformer(one_hot=4)
    assert FTTransformer(width=8, heads=2, numbers=PiecewiseLinear()).numbers == PiecewiseLinear()


def test_defaults_are_those_of_the_papers() -> None:
    paper = RealMLP()
    assert (paper.hidden, paper.batch_rows, paper.dropout) == ((256, 256, 256), 256, 0.15)
    assert paper.stage.optimizer.betas == (0.9, 0.95) and paper.stage.lr == 0.04  # type: ignore[attr-defined]
    assert TabM().members == 32 and isinstance(TabM().numbers, PiecewiseLinear)
    assert isinstance(TabularResNet().scaling, QuantileScaling)


@pytest.mark.parametrize("kind", TASKS)
def test_the_epoch_of_the_least_loss_is_kept(kind: str, tmp_path: Path) -> None:
    rows, valid = mixed_rows(kind), mixed_rows(kind, seed=1)
    member = quick("Perceptron", stop="valid", stop_by="loss", stage={"lr": 0.1, "epochs": 8})
    assert not member.override("stop=inner").uses_metric and member.override("stop=inner", "stop_by=metric").uses_metric
    p = member.learn(rows, valid, tmp_path).predict(valid)
    scores = torch.load(tmp_path / "last.pt", weights_only=True)["best"]["scores"]
    if kind == "regression":  # in deviations of the train rows, so that both targets count
        center, scale = rows.labels.mean(0), rows.labels.std(0)
        expected = rmse((valid.labels - center) / scale, (p - center) / scale)
    else:
        expected = log_loss(valid.labels, p)
    assert max(scores) == pytest.approx(-expected, rel=1e-6) and max(scores) != scores[-1]


def test_one_class_among_the_rows_held_out_is_scored_by_the_loss(tmp_path: Path) -> None:
    rows = mixed_rows(n=60)
    y = np.zeros((60, 1))
    y[:2] = 1
    rare = Rows(rows.task, rows.source, rows.at, y)
    assert np.isfinite(quick("TabM", stop="inner", stop_by="loss").learn(rare, rare, tmp_path).predict(rare)).all()
    with pytest.raises(KitError, match="cannot score"):
        quick("TabM", stop="inner", stop_by="metric").learn(rare, rare, tmp_path / "metric")

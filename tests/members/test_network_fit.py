"""What a network member hands to the loop: objectives with their weights, rows held out, units of the target."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import kit.members.network.fitting as fitting
from kit.core.errors import KitError
from kit.members import Perceptron
from kit.members.network.fitted import Scale
from kit.metrics import Metric, accuracy, mae, roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.train import Stage
from tests.helpers.encoders import one_thread  # noqa: F401

SMALL = Perceptron(hidden=(6,), dropout=0.0, batch_rows=16, stage=Stage(epochs=3, lr=0.05, precision="fp32"))


def rows_of(kind: str = "binary", n: int = 60, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    value = frame.a + 0.5 * frame.b
    y = (value + 0.3 * rng.normal(size=n) > 0).astype(float) if kind == "binary" else value + 0.1 * rng.normal(size=n)
    metric: Metric = roc_auc if kind == "binary" else mae
    task = Task(name="t", kind=kind, targets=("y",), inputs=("a", "b", "c"), metric=metric)
    return Rows.of(task, frame, y.to_numpy() if hasattr(y, "to_numpy") else y)


class Handed:
    """What `train` was called with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = fitting.train

        def noting(net: Any, objectives: Any, batches: Any, stages: Any, *rest: Any, **more: Any) -> Any:
            self.net, self.objectives, self.batches, self.stages = net, objectives, batches, stages
            return real(net, objectives, batches, stages, *rest, **more)

        monkeypatch.setattr(fitting, "train", noting)


class Says(nn.Module):
    """Gives the outputs that it was told, one a call."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs, self.calls = outputs, 0

    def forward(self, **inputs: Tensor) -> Tensor:
        self.calls += 1
        return self.outputs[(self.calls - 1) % len(self.outputs)]


def test_rdrop_counts_with_the_weight_that_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = Handed(monkeypatch)
    SMALL.override("rdrop=0.7").learn(rows_of(), rows_of(), tmp_path)
    torch.manual_seed(0)
    a, b = torch.randn(2, 5, 1)
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0]])
    step = handed.objectives[0](Says(a, b), {"inputs": {}, "y": y})
    p, q = a.sigmoid(), b.sigmoid()
    apart = ((p - q) * ((p / (1 - p)).log() - (q / (1 - q)).log())).sum() / 2  # half of KL(p, q) + KL(q, p)
    plain = sum(F.binary_cross_entropy_with_logits(z, y, reduction="sum") for z in (a, b)) / 2
    torch.testing.assert_close(step.loss, plain + 0.7 * apart)


def test_a_penalty_counts_with_the_weight_that_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed, tops = Handed(monkeypatch), []

    def noting(net: Any, objectives: Any, *rest: Any, **more: Any) -> Any:
        matrices = [m.weight for m in net.modules() if isinstance(m, nn.Linear)]
        tops.append(sum(torch.linalg.svdvals(w.detach())[0].square() for w in matrices) / 2)
        y = torch.zeros(4, 1)
        for _ in range(100):
            found = objectives[0](
                net, {"inputs": {"numbers": torch.zeros(4, 3), "categories": torch.zeros(4, 0)}, "y": y}
            )
        tops.append(found.parts["penalty"] / 4)
        return real(net, objectives, *rest, **more)

    real = fitting.train
    monkeypatch.setattr(fitting, "train", noting)
    SMALL.override("spectral_penalty=0.3").learn(rows_of(), rows_of(), tmp_path)
    assert float(tops[1]) == pytest.approx(0.3 * float(tops[0]), rel=1e-2) and handed


# ---- stop=inner --------------------------------------------------------------------------------------


def test_rows_that_score_the_epochs_are_not_learnt_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed, rows = Handed(monkeypatch), rows_of()
    spec = SMALL.override("stop=inner", "inner=0.3", "epochs=1")
    first = spec.learn(rows, rows, tmp_path / "first").predict(rows)
    learnt = handed.batches[0].at
    assert len(learnt) == 42 and len(set(learnt.tolist())) == 42
    held = np.setdiff1d(rows.at, learnt)
    y = rows.labels.copy()
    y[held[:9]] = 1 - y[held[:9]]
    other = Rows(rows.task, rows.source, rows.at, y)
    np.testing.assert_array_equal(spec.learn(other, other, tmp_path / "held").predict(rows), first)
    y = rows.labels.copy()
    y[learnt[:9]] = 1 - y[learnt[:9]]
    other = Rows(rows.task, rows.source, rows.at, y)
    assert np.abs(spec.learn(other, other, tmp_path / "learnt").predict(rows) - first).max() > 1e-3


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_rows_that_the_folds_keep_together_stay_together_inside(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed, rows = Handed(monkeypatch), rows_of()
    groups = np.random.default_rng(1).integers(0, 12, len(rows)) * 7 + 3
    grouped = Rows(rows.task, rows.source, rows.at, rows.labels, groups=groups)
    SMALL.override("stop=inner", f"inner={share}", "epochs=1").learn(grouped, rows, tmp_path)
    learnt = np.isin(rows.at, handed.batches[0].at)
    assert not set(groups[learnt]) & set(groups[~learnt])
    largest = np.bincount(groups).max()
    assert share * len(rows) <= (~learnt).sum() < share * len(rows) + largest
    taken = grouped.take([5, 2])
    assert taken.groups is not None and taken.groups.tolist() == groups[[5, 2]].tolist()


def test_too_few_groups_are_named(tmp_path: Path) -> None:
    rows = rows_of()
    one = Rows(rows.task, rows.source, rows.at, rows.labels, groups=np.zeros(len(rows), dtype=int))
    with pytest.raises(KitError) as error:
        SMALL.override("stop=inner").learn(one, rows, tmp_path)
    assert str(error.value) == (
        "Perceptron.inner = 0.1 holds out all of 1 groups of rows that stay together; none is left to learn from"
    )


# ---- units and shares --------------------------------------------------------------------------------


def test_huber_s_delta_is_in_the_target_s_unit(tmp_path: Path) -> None:
    """Cents instead of euros: the same fit, a hundred times as large."""
    rows, answers = rows_of("regression"), []
    for unit in (1.0, 100.0):
        scaled = Rows(rows.task, rows.source, rows.at, rows.labels * unit)
        spec = SMALL.override(f"loss=Huber(delta={0.2 * unit})")
        answers.append(spec.learn(scaled, scaled, tmp_path / str(unit)).predict(rows) / unit)
    np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-5)


def test_huber_s_delta_bends_the_loss_at_that_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed, rows = Handed(monkeypatch), rows_of("regression")
    labels = rows.labels * 50 + 7
    SMALL.override("loss=Huber(delta=20)").learn(Rows(rows.task, rows.source, rows.at, labels), rows, tmp_path)
    std, errors = labels.std(), torch.tensor([[1.0], [19.0], [21.0], [90.0]])
    for error in errors:
        step = handed.objectives[0](Says(error[None] / std), {"inputs": {}, "y": torch.zeros(1, 1)})
        naive = F.huber_loss(error, torch.zeros(1), delta=20.0) / std**2
        torch.testing.assert_close(step.loss, naive.to(step.loss.dtype), rtol=1e-4, atol=1e-6)


def test_the_bias_of_the_head_starts_at_the_shares_of_the_classes() -> None:
    task = Task(name="t", kind="multiclass", targets=("y",), classes=("a", "b", "c"), inputs=("a",), metric=accuracy)
    frame = pd.DataFrame({"a": np.zeros(40)})
    shares = np.tile([[0.2, 0.1, 0.7], [0.0, 0.3, 0.7]], (20, 1))
    indices = np.repeat([0.0, 1.0, 2.0, 2.0], 10)
    for y, expected in ((shares, [0.1, 0.2, 0.7]), (indices, [0.25, 0.25, 0.5])):
        scale = Scale.of(Rows.of(task, frame, y))
        assert scale.bias is not None
        np.testing.assert_allclose(scale.bias.softmax(0), expected, atol=0.02)

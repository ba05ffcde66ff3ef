"""Annealing of dropout and weight decay, and the limit on steps."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from kit.core.errors import KitError
from kit.train import ArrayBatches, Constant, CosineLog, FlatCosine, LinearDecay, LoopStage, Supervised, train
from kit.train.schedule import rate_curve

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


class Watched(nn.Module):
    """Dropout whose share is written down in each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.linear = nn.Dropout(0.4), nn.Linear(3, 1)
        self.seen: list[float] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(self.dropout.p)
        return self.linear(self.dropout(x))


def fit(model: nn.Module, **stage: object) -> None:
    def nothing(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 0 * output[:, 0]  # weights then change by weight decay alone

    plain = {"lr": 0.1, "schedule": Constant(), "warmup": 0, "precision": "fp32", "weight_decay": 0.5}
    batches = ArrayBatches({"x": X}, X[:, :1], 10, 0)
    train(model, Supervised(nothing), batches, LoopStage(**plain | stage))  # type: ignore[arg-type]


def test_dropout_and_weight_decay_follow_the_schedule() -> None:
    model = Watched()
    before = model.linear.weight.detach().clone()
    fit(model, epochs=2, anneal=LinearDecay())
    assert model.seen == pytest.approx([0.4 * (8 - step) / 8 for step in range(8)]) and model.dropout.p == 0.4
    expected = before * math.prod(1 - 0.1 * 0.5 * (8 - step) / 8 for step in range(8))
    torch.testing.assert_close(model.linear.weight.detach(), expected)


def test_without_annealing_both_stay() -> None:
    model = Watched()
    before = model.linear.weight.detach().clone()
    fit(model, epochs=2)
    assert set(model.seen) == {0.4}
    torch.testing.assert_close(model.linear.weight.detach(), before * (1 - 0.05) ** 8)


@pytest.mark.parametrize(
    "limits, steps",
    [
        ({"epochs": 5, "max_steps": 6}, 6),
        ({"epochs": 1, "max_steps": 6}, 4),
        ({"epochs": 1, "min_steps": 6, "max_steps": 6}, 6),
        ({"epochs": 5}, 20),
        ({"epochs": 5, "steps": 3}, 3),
    ],
    ids=str,
)
def test_the_largest_number_of_steps(limits: dict[str, int], steps: int) -> None:
    model = Watched()
    fit(model, **limits)
    assert len(model.seen) == steps


def test_limits_that_contradict_each_other() -> None:
    with pytest.raises(KitError, match="max_steps = 5 is below min_steps = 9"):
        LoopStage(min_steps=9, max_steps=5)
    with pytest.raises(KitError, match="steps says how many steps there are; leave max_steps out"):
        LoopStage(steps=9, max_steps=5)


def test_schedules_of_realmlp() -> None:
    t = (np.arange(50) + 0.5) / 50
    expected = 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t)))
    np.testing.assert_allclose(rate_curve(CosineLog(), 50, warmup=0.5), expected)  # it rises by itself
    assert (rate_curve(CosineLog(), 3) > 0).all()
    flat = rate_curve(FlatCosine(), 100)
    assert (flat[:51] == 1).all()
    np.testing.assert_allclose(flat[50:], 0.5 * (1 + np.cos(np.pi * np.arange(50) / 50)))

"""The budget of a prediction's batches: measured once, kept, and without influence on what is resumed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch import nn

from kit.members.network import budget as module
from kit.members.network.budget import fastest, measured_budget
from kit.metrics import roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task

TASK = Task(name="t", kind="binary", targets=("y",), text=("t",), metric=roc_auc)
LENGTH = np.arange(1000) % 90 + 10


class Machine:
    """A cost for each token of a batch, by the size of the batch."""

    def __init__(self, cost: dict[int, float], noise: float = 0.0, seed: int = 0) -> None:
        self.cost, self.batches = cost, list[int]()
        self.noise, self.rng = noise, np.random.default_rng(seed)

    def seconds(self, batch: np.ndarray) -> float:
        tokens = int(LENGTH[batch].sum())
        self.batches.append(tokens)
        nearest = min(self.cost, key=lambda budget: abs(budget - tokens))
        return self.cost[nearest] * tokens * np.exp(self.noise * self.rng.normal())


@pytest.mark.parametrize("best", [512, 1024, 2048, 4096])
def test_the_fastest_budget_is_found(best: int) -> None:
    cost = {budget: 1.0 - 0.3 * (budget == best) for budget in (512, 1024, 2048, 4096)}
    machine = Machine(cost)
    assert fastest(LENGTH, 2048, 1000, machine.seconds) == best
    assert sum(machine.batches) < 11 * 2048  # what the measurement costs


def test_a_small_gain_changes_nothing() -> None:
    machine = Machine({512: 0.97, 1024: 0.98, 2048: 1.0, 4096: 0.96})
    assert fastest(LENGTH, 2048, 1000, machine.seconds) == 2048


def chosen(cost: dict[int, float], noise: float) -> list[float]:
    """What the budgets cost that are found on two hundred noisy machines."""
    machines = [Machine(cost, noise, seed) for seed in range(200)]
    return [cost[fastest(LENGTH, 2048, 1000, machine.seconds)] for machine in machines]


def test_noise_seldom_chooses_a_slower_budget_and_does_not_hide_a_much_faster_one() -> None:
    worse = chosen({512: 1.2, 1024: 1.05, 2048: 1.0, 4096: 1.1}, noise=0.2)
    assert np.mean(np.array(worse) > 1) < 0.15 and np.mean(worse) < 1.01
    better = chosen({512: 1.0, 1024: 1.0, 2048: 1.0, 4096: 0.6}, noise=0.1)
    assert np.mean(np.array(better) < 1) > 0.9


def test_a_gain_that_is_not_repeated_changes_nothing() -> None:
    machine = Machine({512: 1.0, 1024: 1.0, 2048: 1.0, 4096: 1.0})
    hiccups = iter([1.0, 5.0])  # the first call prepares, the second is the first one that is measured

    def seconds(batch: np.ndarray) -> float:
        return machine.seconds(batch) + next(hiccups, 0.0) * 2048

    assert fastest(LENGTH, 2048, 1000, seconds) == 2048


def rows_of(folder: Path | None) -> Rows:
    return Rows(TASK, Source(pd.DataFrame({"t": ["a"] * 1000}), folder), np.arange(1000))


def test_it_is_measured_once_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, asked = nn.Linear(3, 2), list[np.ndarray]()

    def budget(folder: Path | None, net: nn.Module = net) -> int:
        return measured_budget(rows_of(folder), net, LENGTH, 2048, 1000, lambda batch: asked.append(batch) or 0.0)

    monkeypatch.setattr(module, "measured", {})
    found, count = budget(tmp_path), len(asked)
    assert count in (5, 7, 9) and found in (512, 1024, 2048, 4096)
    monkeypatch.setattr(module, "measured", {})  # another process, such as one that goes on with a killed run
    assert budget(tmp_path) == found and len(asked) == count
    assert budget(None) == found and len(asked) == count  # rows without a cache, in the same process
    budget(tmp_path, nn.Linear(4, 2))
    assert len(asked) >= count + 5  # another network has a budget of its own


def test_few_rows_are_not_worth_a_measurement() -> None:
    def seconds(batch: np.ndarray) -> float:
        pytest.fail("it was measured")

    assert measured_budget(rows_of(None), nn.Linear(3, 2), LENGTH[:100], 2048, 1000, seconds) == 2048


def test_no_batch_of_a_measurement_has_more_rows_than_allowed() -> None:
    asked: list[np.ndarray] = []
    fastest(LENGTH, 2048, 16, lambda batch: asked.append(batch) or 0.0)
    assert {len(batch) for batch in asked} == {9, 16}

"""Batches made ahead: the same ones whoever makes them, in order, while the step before is still running."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.losses import BCE
from kit.train import LoopStage, Supervised, train
from kit.train.batches import ArrayBatches
from kit.train.lengths import LengthBatches
from kit.train.prefetch import Prefetched, WorkersNeeded, prefetched

CPU, GPU = torch.device("cpu"), torch.device("cuda")
PATIENCE = 20  # seconds after which a test gives up waiting for what should have happened


class Slow:
    """Inputs that a worker reads: row i as i numbers of its value."""

    def __init__(self, needs: WorkersNeeded, read: Callable[[int], Any] = int) -> None:
        self.needs, self.read, self.length = needs, read, np.arange(1, 41)

    def padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        for row in rows:
            self.read(int(row))
        return {"x": torch.arange(self.length[rows].max()).expand(len(rows), -1) + torch.from_numpy(rows)[:, None]}

    def key(self, row: int) -> bytes:
        return bytes([row])


def batches_of(inputs: Slow) -> LengthBatches:
    return LengthBatches(inputs, np.arange(40), np.arange(40.0)[:, None], 1000, 4, 0)


def refuse(row: int) -> None:
    if row == 17:
        raise KitError(f"picture {row}.jpg cannot be read")


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return torch.equal(a["y"], b["y"]) and all(
        torch.equal(a["inputs"][name], b["inputs"][name]) for name in a["inputs"]
    )


@pytest.mark.parametrize(
    ("needs", "workers"),
    [
        ("nothing", 0),
        ("nothing", 1),
        ("threads", 0),
        ("threads", 1),
        ("threads", 3),
        ("processes", 0),
        ("processes", 2),
    ],
)
def test_batches_are_the_same_by_whatever_workers(needs: WorkersNeeded, workers: int) -> None:
    batches, state = batches_of(Slow(needs)), torch.get_rng_state()
    plan = batches.plan(1)
    with prefetched(batches, plan, CPU, workers) as made:
        assert isinstance(made, Prefetched) == (workers > 0)
        assert all(same(made[rows], batches[rows]) for rows in plan)
        assert same(made[plan[0]], batches[plan[0]])  # not in the plan any more
        assert [rows.tolist() for rows in made.plan(2)] == [rows.tolist() for rows in batches.plan(2)]
    assert torch.equal(torch.get_rng_state(), state)


def test_other_peoples_batches_are_made_whole_by_a_worker_process() -> None:
    own = Own()
    with prefetched(own, own.plan(1), CPU, 1) as made:
        assert [made[rows]["y"].tolist() for rows in own.plan(1)] == [[[i]] for i in range(5)]


class Own:
    """Batches that say nothing of themselves."""

    def plan(self, epoch: int) -> list[np.ndarray]:
        return [np.array([i]) for i in range(5)]

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        return {"inputs": {}, "y": torch.tensor([[int(rows[0])]])}


def test_who_makes_batches_where_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU has nothing to wait for where batches are cheap, and few rows are not worth a process."""
    monkeypatch.setenv("KIT_THREADS", "2")
    cheap = ArrayBatches({"x": np.zeros((40, 2))}, np.zeros(40), 4)
    few = batches_of(Slow("processes")).plan(1)

    def ahead(batches: Any, device: torch.device = CPU) -> bool:
        with prefetched(batches, few, device) as made:
            return isinstance(made, Prefetched)

    assert not ahead(cheap) and ahead(cheap, GPU)
    assert not ahead(batches_of(Slow("nothing"))) and ahead(batches_of(Slow("nothing")), GPU)
    few = few * 110
    assert ahead(batches_of(Slow("processes"))) and not ahead(batches_of(Slow("processes", lambda row: None)))
    few = few[:10]
    assert ahead(batches_of(Slow("threads"))) and not ahead(batches_of(Slow("processes"))) and not ahead(Own(), GPU)


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.float().mean(1, keepdim=True))


def test_the_next_batch_is_made_while_a_step_runs() -> None:
    batches = batches_of(Slow("threads"))
    plan = batches.plan(1)
    begun = {int(row): threading.Event() for row in range(40)}
    batches = batches_of(Slow("threads", lambda row: begun[row].set()))
    steps: list[int] = []

    def objective(model: nn.Module, batch: dict[str, Any]) -> Any:
        number = len(steps)
        steps.append(number)
        if number + 1 < len(plan):  # this step ends only when the next batch has been begun
            assert begun[int(plan[number + 1].max())].wait(PATIENCE)
        return Supervised(BCE())(model, {**batch, "y": batch["y"] % 2})

    train(Linear(), objective, batches, LoopStage(epochs=1, lr=1e-3, precision="fp32"), workers=1)
    assert len(steps) == len(plan)


def test_not_more_is_made_than_will_soon_be_needed() -> None:
    batches, begun = batches_of(Slow("nothing")), list[int]()

    def begin(rows: np.ndarray) -> "Future[Any]":
        begun.append(int(rows[0]))
        future: Future[Any] = Future()
        future.set_result(batches[rows])
        return future

    plan = batches.plan(1)
    made = Prefetched(batches, plan, begin, lambda rows, whole: whole, 3)
    for number, rows in enumerate(plan):
        assert same(made[rows], batches[rows])
        assert begun == [int(rows[0]) for rows in plan[: number + 4]]  # each once, in order, three ahead


def test_a_batch_that_is_read_in_parts_is_so_to_the_end() -> None:
    batches, begun = batches_of(Slow("nothing")), list[list[int]]()

    def begin(rows: np.ndarray) -> "Future[Any]":
        begun.append(rows.tolist())
        future: Future[Any] = Future()
        future.set_result(batches[rows])
        return future

    plan = batches.plan(1)
    made = Prefetched(batches, plan, begin, lambda rows, whole: whole, 2)
    assert same(made[plan[0]], batches[plan[0]])
    for part in (plan[0][::2], plan[0][1::2]):  # memory could not hold the first one
        assert same(made[part], batches[part])
    parts = [rows[i::2] for rows in plan[1:] for i in range(2)]
    del begun[:]
    for part in parts:
        assert same(made[part], batches[part])
    assert begun == [part.tolist() for part in parts]


@pytest.mark.parametrize(("needs", "workers"), [("nothing", 0), ("nothing", 1), ("threads", 2), ("processes", 1)])
def test_an_error_reaches_the_user_as_it_was_raised(needs: WorkersNeeded, workers: int) -> None:
    batches = batches_of(Slow(needs, refuse))
    plan = batches.plan(1)
    bad = next(number for number, rows in enumerate(plan) if 17 in rows)
    with (
        pytest.raises(KitError, match=r"^picture 17\.jpg cannot be read$"),
        prefetched(batches, plan, CPU, workers) as made,
    ):
        for number, rows in enumerate(plan):
            assert number <= bad  # the batches before it are whole
            made[rows]


def test_what_cannot_go_to_another_process_is_said() -> None:
    batches = batches_of(Slow("processes", lambda row: None))
    said = pytest.raises(
        KitError, match=r"workers = 2: .* cannot be sent to other processes .*lambda.*; take workers=0"
    )
    with said, prefetched(batches, batches.plan(1), CPU, 2):
        pass


def test_a_worker_that_died_is_said() -> None:
    batches = batches_of(Slow("processes", kill_worker))
    plan = batches.plan(1)
    said = pytest.raises(KitError, match="a process that makes batches died .*workers=0")
    with said, prefetched(batches, plan, CPU, 1) as made:
        for rows in plan:
            made[rows]


def kill_worker(row: int) -> None:
    import os

    if row == 17:
        os._exit(3)


def test_who_stops_early_leaves_no_worker_behind() -> None:
    before = set(threading.enumerate())
    batches = batches_of(Slow("threads"))
    with pytest.raises(KeyboardInterrupt), prefetched(batches, batches.plan(1), CPU, 2) as made:
        made[batches.plan(1)[0]]
        raise KeyboardInterrupt
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("workers", [0, 2])
def test_training_gives_the_same_bits_with_and_without_workers(workers: int) -> None:
    torch.manual_seed(0)
    first, model = Linear(), Linear()
    model.load_state_dict(first.state_dict())
    stage = LoopStage(epochs=2, lr=1e-2, precision="fp32")

    def objective(model: nn.Module, batch: dict[str, Any]) -> Any:
        return Supervised(BCE())(model, {**batch, "y": batch["y"] % 2})

    train(first, objective, batches_of(Slow("nothing")), stage)
    train(model, objective, batches_of(Slow("threads", lambda row: time.sleep(row % 3 * 1e-4))), stage, workers=workers)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), model.parameters(), strict=True))

"""Batches side by side: as many at once as there are networks, in order, each network in one thread at a time."""

import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from kit.members import Perceptron
from kit.members.network import fitted
from kit.members.network.fitting import build
from kit.metrics import roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.train import Stage
from kit.train import side_by_side as module
from kit.train.cpu_linear import PackedLinear
from kit.train.side_by_side import batches_at_once, copies, side_by_side, threads_each

WAIT = 60  # seconds after which a thread that should not have waited alone gives up


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


class Remembers(nn.Module):
    """Keeps its input between two lines of `forward`, where another thread may come by."""

    def __init__(self, meet: threading.Barrier) -> None:
        super().__init__()
        self.inner, self.norm, self.meet = nn.Linear(3, 2), nn.BatchNorm1d(3), [meet]

    def __deepcopy__(self, memo: dict[int, object]) -> "Remembers":
        other = Remembers(self.meet[0])
        other.inner, other.norm = self.inner, self.norm
        return other

    def forward(self, x: Tensor) -> Tensor:
        self.kept = x
        self.meet[0].wait(WAIT)
        return self.inner(self.kept)


@torch.inference_mode()
def test_results_come_in_order_of_threads_that_compute_at_once_with_one_thread_each() -> None:
    net, counts = Remembers(threading.Barrier(2)).eval(), list[int]()
    given = [torch.randn(4, 3) for _ in range(6)]

    def predict(net: nn.Module, x: Tensor) -> Tensor:
        counts.append(torch.get_num_threads())
        with torch.inference_mode():
            return net(x)

    with threads_each(1):
        found = list(side_by_side(copies(net, 2), predict, iter(given)))
    assert all(torch.equal(one, net.inner(x)) for one, x in zip(found, given, strict=True))
    assert counts == [1] * 6


def test_an_error_arrives_as_it_was_raised_and_ends_the_work() -> None:
    begun: list[int] = []

    def predict(net: str, number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("row 3")
        return number

    found = side_by_side(["a", "b"], predict, range(1000))
    assert [next(found), next(found), next(found)] == [0, 1, 2]
    with pytest.raises(ValueError, match="row 3"):
        next(found)
    assert max(begun) < 10


def test_copies_share_every_tensor_and_nothing_else() -> None:
    net = nn.Sequential(nn.Embedding(5, 4), nn.LSTM(4, 4, batch_first=True))
    tied = nn.Sequential(net, nn.BatchNorm1d(4), nn.Linear(4, 5, bias=False)).eval()
    tied[2].weight = net[0].weight
    tied[2].forward = PackedLinear(tied[2])  # type: ignore[method-assign]
    first, second = copies(tied, 2)
    assert first is tied and second[1] is not tied[1] and second[2].forward is tied[2].forward
    ours, theirs = tied.state_dict(keep_vars=True), second.state_dict(keep_vars=True)
    assert ours.keys() == theirs.keys() and all(ours[name] is theirs[name] for name in ours)


def test_a_network_that_cannot_be_copied_computes_alone() -> None:
    net = nn.Linear(2, 2)
    net.lock = threading.Lock()  # type: ignore[assignment]
    assert copies(net, 3) == [net]


def test_threads_share_a_batch_of_little_work_and_that_of_a_compiled_network() -> None:
    net = nn.Sequential(nn.Embedding(10**4, 100), nn.Linear(100, 1000))
    enough = module.ENOUGH // 100_000
    assert batches_at_once(net, enough // 2) == 1 and batches_at_once(net, enough) == 2
    net._compiled_call_impl = net.forward
    assert batches_at_once(net, enough) == 1


def test_a_member_predicts_the_same_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    task = Task(name="t", kind="binary", targets=("y",), inputs=("a", "b", "c"), metric=roc_auc)
    rows = Rows.of(task, frame, (frame.a > 0).to_numpy(float))
    spec = Perceptron(hidden=(6,), batch_rows=16, stage=Stage(precision="fp32"))
    dataset, scale = spec.make_dataset(rows), fitted.Scale.of(rows)
    predictor = fitted.NetworkPredictor(spec, dataset, build(spec, dataset, rows, scale).eval(), scale)
    alone, threads = predictor.predict(rows), set[int]()
    monkeypatch.setattr(module, "ENOUGH", 0)
    monkeypatch.setattr(fitted, "side_by_side", lambda nets, predict, given: side_by_side(
        nets, lambda net, x: [threads.add(threading.get_ident()), predict(net, x)][1], given))  # fmt: skip
    np.testing.assert_allclose(predictor.predict(rows), alone, rtol=1e-6)
    np.testing.assert_array_equal(predictor.predict(rows.take(np.arange(300)[::-1]))[::-1], predictor.predict(rows))
    assert threads and threading.get_ident() not in threads

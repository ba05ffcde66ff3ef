"""Averages of weights against the sums that define them, batch norm, snapshots, and soups."""

import io
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.train.average import EMA, SWA, Average, Snapshots, Weights, greedy_soup, renew_batch_norm
from kit.train.schedule import CosineRestarts, rate_curve


class Net(nn.Module):
    """With batch norm, tied weights, a frozen parameter, and buffers of both kinds."""

    centre: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.into, self.norm, self.out = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(3, 4, bias=False)
        self.out.weight = self.into.weight
        self.fixed = nn.Parameter(torch.rand(2), requires_grad=False)
        self.register_buffer("centre", torch.zeros(1))

    def forward(self, *, x: Tensor) -> Tensor:
        return self.norm(self.into(x)).relu() + self.out(x)


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def steps(model: nn.Module, which: range) -> Iterator[int]:
    """Gives each step after moving the model; what it does depends on the step and the weights alone."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for step in which:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        model(x=x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        model.centre.add_(1)  # type: ignore[operator, union-attr]
        yield step


def watched(average: Average, total: int) -> tuple[Net, Any, list[Weights]]:
    model, points = net(), []
    averaging = average.start(model)
    for step in steps(model, range(total)):
        averaging.update(model, step, total)
        points.append({name: value.clone() for name, value in model.state_dict().items()})
    return model, averaging, points


MEANS = ["into.weight", "into.bias", "out.weight", "norm.weight", "norm.running_mean", "norm.running_var", "fixed"]


@pytest.mark.parametrize(("decay", "since"), [(0.5, 0.0), (0.999, 0.0), (0.9, 0.35)])
def test_ema_is_the_weighted_sum_of_its_points(decay: float, since: float) -> None:
    model, averaging, points = watched(EMA(decay=decay, since=since), 20)
    averaging.finish(model)
    used = points[int(since * 20) :]
    decays = [min(decay, (1 + t) / (10 + t)) for t in range(len(used))]
    weights = [(1 - d if t else 1) * np.prod(decays[t + 1 :]) for t, d in enumerate(decays)]
    assert sum(weights) == pytest.approx(1)
    for name in MEANS:
        expected = sum(float(w) * p[name] for w, p in zip(weights, used, strict=True))
        torch.testing.assert_close(model.state_dict()[name], expected, rtol=1e-5, atol=1e-6)
    assert model.centre == 20 and model.norm.num_batches_tracked == 20  # other buffers are the last
    assert torch.equal(model.fixed, points[0]["fixed"]) and model.out.weight is model.into.weight


@pytest.mark.parametrize(
    ("since", "every", "taken"), [(0.75, 1, [15, 16, 17, 18, 19]), (0.5, 4, [11, 15, 19]), (0.99, 7, [19])]
)
def test_swa_is_the_plain_mean_of_its_points(since: float, every: int, taken: list[int]) -> None:
    model, averaging, points = watched(SWA(since=since, every=every), 20)
    averaging.finish(model, batches())
    for name in ("into.weight", "into.bias", "out.weight", "norm.weight", "fixed"):
        mean = torch.stack([points[step][name] for step in taken]).mean(0)
        torch.testing.assert_close(model.state_dict()[name], mean, rtol=1e-5, atol=1e-6)
    assert model.out.weight is model.into.weight


def test_the_shortest_run_has_a_point() -> None:
    for average in (SWA(), EMA(since=0.9)):
        _, averaging, _ = watched(average, 1)
        assert averaging.count == 1


def batches() -> list[dict[str, Any]]:
    x = torch.randn(24, 3, generator=torch.Generator().manual_seed(99))
    return [{"inputs": {"x": part}, "y": torch.zeros(8)} for part in x.split(8)]


def test_swa_computes_batch_norm_statistics_of_the_averaged_weights() -> None:
    model, averaging, _ = watched(SWA(), 20)
    averaging.finish(model, batches())
    hidden = [model.into(batch["inputs"]["x"]) for batch in batches()]
    torch.testing.assert_close(model.norm.running_mean, torch.stack([h.mean(0) for h in hidden]).mean(0))
    torch.testing.assert_close(model.norm.running_var, torch.stack([h.var(0) for h in hidden]).mean(0))
    assert model.norm.momentum == 0.1


def test_statistics_are_those_of_prediction_and_frozen_ones_stay() -> None:
    frozen, learning = nn.BatchNorm1d(3).requires_grad_(False), nn.BatchNorm1d(3)
    model = nn.Sequential(OrderedDict(frozen=frozen, drop=nn.Dropout(0.5), learning=learning))
    x = torch.cat([batch["inputs"]["x"] for batch in batches()])
    renew_batch_norm(model, [{"inputs": {"input": part}} for part in x.split(8)])
    torch.testing.assert_close(learning.running_mean, x.mean(0), rtol=1e-4, atol=1e-6)
    assert frozen.state_dict()["running_mean"].eq(0).all() and frozen.training and model.training


def test_swa_of_batch_norm_without_batches_is_refused_and_without_batch_norm_needs_none() -> None:
    model, averaging, _ = watched(SWA(), 4)
    with pytest.raises(ValueError, match="the model has batch norm"):
        averaging.finish(model)
    linear = nn.Linear(2, 2)
    plain = SWA(since=0).start(linear)
    plain.update(linear, 0, 1)
    plain.finish(linear)


@pytest.mark.parametrize("average", [EMA(), SWA(), Snapshots(cycles=2)], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_finishing_leaves_modes_and_device(average: Average, training: bool) -> None:
    model, averaging, _ = watched(average, 4)
    model.train(training)
    model.norm.eval()
    averaging.finish(model, batches())
    assert model.training is training and model.into.training is training and not model.norm.training
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_before_its_first_point_an_average_leaves_the_model() -> None:
    model, _, points = watched(SWA(), 20)
    early = SWA().start(model)
    for step in range(15):
        early.update(model, step, 20)
    early.finish(model)
    assert all(torch.equal(value, points[-1][name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "average", [EMA(decay=0.9), EMA(since=0.5), SWA(since=0.3), SWA(since=0.8), Snapshots(cycles=4)], ids=str
)
def test_a_saved_average_goes_on_bit_for_bit(average: Average) -> None:
    _, whole, _ = watched(average, 10)
    model = net()
    averaging = average.start(model)
    for step in steps(model, range(10)):
        averaging.update(model, step, 10)
        if step == 5:
            file = io.BytesIO()
            torch.save(averaging.state_dict(), file)
            file.seek(0)
            averaging = average.start(model)
            averaging.load_state_dict(torch.load(file, weights_only=True))
    assert_same(whole.state_dict(), averaging.state_dict())


def assert_same(a: Any, b: Any) -> None:
    if isinstance(a, Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize(("warmup", "keep"), [(0.0, None), (0.0, 2), (0.2, None)])
def test_snapshots_are_the_weights_at_the_ends_of_the_cycles(warmup: float, keep: int | None) -> None:
    model, points = net(), []
    averaging = Snapshots(cycles=3, keep=keep).start(model, warmup)
    for step in steps(model, range(20)):
        averaging.update(model, step, 20)
        points.append({name: value.clone() for name, value in model.state_dict().items()})
    rates = rate_curve(CosineRestarts(cycles=3), 20, warmup)
    ends = [step for step in range(4, 20) if step == 19 or rates[step + 1] > rates[step]]
    assert len(ends) == 3
    assert_same(averaging.states, [points[step] for step in ends][-(keep or 3) :])
    averaging.finish(model)
    assert_same(dict(model.state_dict()), points[-1])


def vectors(*rows: tuple[float, ...]) -> list[Weights]:
    return [{"w": torch.tensor(row), "n": torch.tensor(i)} for i, row in enumerate(rows)]


def test_a_greedy_soup_adds_what_does_not_make_it_worse() -> None:
    """Loss |w|²: opposite corners cancel, the far one spoils every mean and is left out."""
    states = vectors((9.0, 9.0), (1.0, 0.5), (-1.0, 0.6), (0.0, -1.3))
    asked = []

    def score(state: Weights) -> float:
        asked.append(state)
        return -float(state["w"].square().sum())

    soup = greedy_soup(states, score)
    torch.testing.assert_close(soup["w"], torch.tensor((0.0, (0.5 + 0.6 - 1.3) / 3)))
    assert soup["n"] == 1  # what is no float is the best checkpoint's
    assert len(asked) == 4 + 3
    assert states[1]["w"].tolist() == [1.0, 0.5]


def test_what_leaves_the_soup_as_good_goes_in() -> None:
    assert greedy_soup(vectors((1.0,), (3.0,)), lambda state: 0.0)["w"] == 2


def test_a_soup_is_never_worse_than_its_best_checkpoint() -> None:
    states = vectors((0.1,), (1.0,), (2.0,))
    assert greedy_soup(states, lambda state: -abs(float(state["w"])))["w"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (EMA, {"decay": 1.0}, "EMA.decay"),
        (SWA, {"since": 1.0}, "SWA.since"),
        (SWA, {"every": 0}, "SWA.every"),
        (Snapshots, {"cycles": 2, "keep": 3}, "keep = 3 is more than the 2 cycles"),
    ],
)
def test_impossible_settings_are_refused(kind: type[Average], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        kind(**settings)

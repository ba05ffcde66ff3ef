"""Schedules in closed form and against torch's."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from kit.core.errors import KitError
from kit.train.schedule import (
    Constant,
    Cosine,
    CosineRestarts,
    LinearDecay,
    OneCycle,
    Plateau,
    Schedule,
    SlantedTriangular,
    rate_curve,
    warmed,
    warmup_steps,
)

ALL = [Constant(), LinearDecay(), Cosine(), OneCycle(), SlantedTriangular(), CosineRestarts(cycles=3), Plateau()]


def sgd(lr: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def torchs(optimizer: torch.optim.Optimizer, scheduler: Any, total: int) -> tuple[list[float], list[float]]:
    """Rates and momenta that a torch scheduler gives to each step."""
    rates, momenta = [], []
    for step in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step + 1 < total:
            scheduler.step()
    return rates, momenta


@pytest.mark.parametrize("end", [0.0, 0.2])
def test_linear_and_cosine_fall_from_one_to_their_end(end: float) -> None:
    for step in range(10):
        assert math.isclose(LinearDecay(end=end).factor(step, 10), 1 - (1 - end) * step / 10)
        assert math.isclose(Cosine(end=end).factor(step, 10), end + (1 - end) * math.cos(math.pi * step / 20) ** 2)
    assert LinearDecay().factor(9, 10) == 0.1 and Constant().factor(9, 10) == 1


def test_warmup_reaches_the_peak_at_its_last_step_and_then_the_schedule_has_the_rest() -> None:
    assert warmup_steps(100, 0.07) == 7 and warmup_steps(101, 0.07) == 8 and warmup_steps(100, 0.0) == 0
    assert list(rate_curve(LinearDecay(), 4, 0.5)) == [0.5, 1, 1, 0.5]
    rates = rate_curve(CosineRestarts(cycles=3), 100, 0.1)
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:], rate_curve(CosineRestarts(cycles=3), 90))
    assert warmed(Plateau(patience=0), 50, 100, 0.1, scores=[0.5, 0.4]) == pytest.approx(0.1)


@pytest.mark.parametrize("schedule", [OneCycle(), SlantedTriangular()], ids=str)
def test_what_rises_by_itself_gets_no_warmup(schedule: Schedule) -> None:
    np.testing.assert_array_equal(rate_curve(schedule, 50, 0.1), rate_curve(schedule, 50))


@pytest.mark.parametrize(("shape", "torch_name"), [("cosine", "cos"), ("linear", "linear")])
@pytest.mark.parametrize(("total", "rise"), [(40, 0.3), (37, 0.25)])
def test_one_cycle_is_torchs_momentum_included(shape: Any, torch_name: Any, total: int, rise: float) -> None:
    ours, optimizer = OneCycle(shape=shape, rise=rise, start_div=20, end_div=50), sgd()
    theirs = lr_scheduler.OneCycleLR(
        optimizer, 1.0, total, pct_start=rise, anneal_strategy=torch_name, div_factor=20, final_div_factor=50
    )
    rates, momenta = torchs(optimizer, theirs, total)
    np.testing.assert_allclose(rate_curve(ours, total), rates, rtol=1e-9)
    np.testing.assert_allclose([ours.momentum(step, total) for step in range(total)], momenta, rtol=1e-9)  # type: ignore[arg-type]


def test_momentum_is_left_alone_where_nothing_is_said_of_it() -> None:
    assert OneCycle(momenta=None).momentum(3, 10) is None and Cosine().momentum(3, 10) is None


def test_slanted_triangular_is_equation_3() -> None:
    total, share, ratio = 200, 0.1, 32.0
    cut = math.floor(total * share)
    expected = []
    for t in range(total):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / share - 1))
        expected.append((1 + p * (ratio - 1)) / ratio)
    rates = rate_curve(SlantedTriangular(), total)
    np.testing.assert_allclose(rates, expected)
    assert rates.argmax() == 20 and rates[20] == 1 and rates[0] == 1 / 32
    assert rate_curve(SlantedTriangular(), 19).min() >= 1 / 32  # the paper's last rate of 19 is negative


def test_restarts_are_torchs_and_end_low() -> None:
    optimizer = sgd()
    rates, _ = torchs(optimizer, lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 8, eta_min=0.1), 32)
    np.testing.assert_allclose(rate_curve(CosineRestarts(cycles=4, end=0.1), 32), rates, rtol=1e-9)
    assert CosineRestarts(cycles=4).ends(32) == [7, 15, 23, 31]


@pytest.mark.parametrize(("total", "cycles"), [(10, 4), (23, 5), (5, 5), (7, 1)])
def test_cycles_are_whole_whatever_the_number_of_steps(total: int, cycles: int) -> None:
    schedule = CosineRestarts(cycles=cycles)
    ends, rates = schedule.ends(total), rate_curve(schedule, total)
    lengths = np.diff([-1, *ends])
    assert len(ends) == cycles and ends[-1] == total - 1 and np.ptp(lengths) <= 1
    np.testing.assert_allclose(rates, [0.5 * (1 + math.cos(math.pi * i / n)) for n in lengths for i in range(n)])


def test_fewer_steps_than_cycles_are_refused() -> None:
    with pytest.raises(KitError, match="5 cycles need at least 5 steps; there are 4"):
        CosineRestarts(cycles=5).factor(0, 4)


@pytest.mark.parametrize("patience", [0, 1, 2])
def test_plateau_is_torchs(patience: int) -> None:
    ours, optimizer = Plateau(drop=0.5, patience=patience, lowest=0.1), sgd()
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", 0.5, patience, threshold=0, threshold_mode="abs", min_lr=0.1
    )
    scores = [
        *np.random.default_rng(0).integers(0, 8, 12).astype(float),
        float("nan"),
        9,
        9,
        9,
        9,
        9,
        8,
        10,
        1,
        1,
        1,
        1,
    ]
    rates = []
    for done, score in enumerate(scores, 1):
        theirs.step(score)
        rates.append(ours.factor(0, 1, scores[:done]))
        assert rates[-1] == pytest.approx(optimizer.param_groups[0]["lr"])
    assert rates[0] == 1 and rates[-1] == 0.1
    assert ours.factor(0, 1) == 1


@pytest.mark.parametrize("schedule", ALL, ids=str)
@pytest.mark.parametrize("total", [3, 4, 11, 100])
def test_every_rate_is_a_share_of_the_peak(schedule: Schedule, total: int) -> None:
    for warmup in (0.0, 0.06):
        if warmup and isinstance(schedule, CosineRestarts) and total == 3:
            continue
        rates = rate_curve(schedule, total, warmup)
        assert rates.shape == (total,) and (rates > 0).all() and rates.max() <= 1


@pytest.mark.parametrize(
    "schedule", [Constant(), LinearDecay(), Cosine(), OneCycle(), SlantedTriangular(), Plateau()], ids=str
)
def test_a_single_step_is_taken_at_some_rate(schedule: Schedule) -> None:
    assert 0 < rate_curve(schedule, 1, 0.06)[0] <= 1


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (LinearDecay, {"end": 1.5}), (Cosine, {"end": -0.1}), (OneCycle, {"rise": 1.0}), (OneCycle, {"momenta": (0.8, 0.9)}),
        (OneCycle, {"momenta": (1.0, 0.9)}), (SlantedTriangular, {"ratio": 0.5}), (SlantedTriangular, {"cut": 1.0}),
        (CosineRestarts, {"cycles": 0}), (Plateau, {"drop": 1.0}), (Plateau, {"patience": -1}),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(kind: type[Schedule], settings: dict[str, Any]) -> None:
    with pytest.raises(KitError):
        kind(**settings)

"""Meter: a line from the first step on, by steps and by time."""

import pytest
import torch

from kit.core.errors import KitError
from kit.train.meter import Meter


def of(losses: list[float], step_seconds: float, clock: pytest.MonkeyPatch) -> list[tuple[int, float, float]]:
    """(step, loss, rows per second) of each line, for steps of four rows."""
    now = 0.0
    clock.setattr("time.monotonic", lambda: now)
    meter, lines = Meter(0, len(losses), 0, torch.device("cpu")), []
    for step, loss in enumerate(losses):
        meter.add(torch.tensor(4 * loss), 4)
        now += step_seconds
        if meter.due(step):
            line = meter.line(step, epoch=1, lr=0.1)
            lines.append((line["step"], line["loss"], line["rows_per_second"]))
    return lines


def test_quick_steps_have_a_line_after_the_first_and_then_after_every_twentieth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = of([3.0] + [1.0] * 19 + [2.0] * 5, 0.1, monkeypatch)
    assert lines == [(1, 3.0, pytest.approx(40)), (20, 1.0, pytest.approx(40)), (25, 2.0, pytest.approx(40))]


def test_slow_steps_have_a_line_at_least_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [step for step, *_ in of([1.0] * 10, 4.0, monkeypatch)] == [1, 4, 7, 10]
    assert [step for step, *_ in of([1.0] * 4, 60.0, monkeypatch)] == [1, 2, 3, 4]


def test_a_loss_that_is_not_finite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KitError, match="the loss is nan by step 1 of 3; lower lr or set clip"):
        of([float("nan"), 1.0, 1.0], 0.1, monkeypatch)

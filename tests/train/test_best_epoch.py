"""Patience counts within a stage."""

from pathlib import Path
from typing import Any

import pytest
import torch

from kit.losses import BCE
from kit.train import LoopStage, Plateau, Supervised, train
from tests.helpers.loop import PLAIN, BatchesOf, Net

SIX = PLAIN.override("epochs=6")


def judged(
    scores: list[float], stages: list[LoopStage], work: Path | None = None, **more: Any
) -> tuple[Net, list[float]]:
    """The net, and the scores that were asked for."""
    asked: list[float] = []

    def evaluate(net: Any) -> float:
        asked.append(scores[len(asked)])
        return asked[-1]

    net = Net()
    found = train(net, Supervised(BCE()), BatchesOf([4, 4]), stages, work, evaluate, **more)
    assert found.scores == asked
    return net, asked


def test_patience_ends_its_own_stage_and_not_the_later_ones() -> None:
    scores = [0.9, 0.5, 0.4, 0.3, 0.6, 0.7, 0.2, 0.1, 0.1, 0.1]
    _, asked = judged(scores, [SIX, SIX, PLAIN.override("epochs=1")], patience=2)
    # 0.9 waits twice; the second stage begins anew, and ends two epochs after its own best one; then the third
    assert asked == [0.9, 0.5, 0.4, 0.3, 0.6, 0.7, 0.2, 0.1, 0.1]


def test_a_stage_that_rises_is_not_ended_by_an_earlier_stage_that_was_better() -> None:
    rising = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert judged([0.9, 0.8, *rising], [SIX, SIX], patience=1)[1] == [0.9, 0.8, *rising]


def test_a_later_stage_s_plateau_reads_its_own_scores_after_an_early_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    stage = SIX.model_copy(update={"schedule": Plateau(drop=0.5, patience=0), "lr": 1.0})
    real = torch.optim.AdamW.step

    def step(self: Any, *given: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return real(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    judged([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [SIX, stage], patience=2)
    assert rates[-6:] == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]  # 0.5 after 0.6: the rate drops before the third epoch


@pytest.mark.parametrize("kill", range(3, 9))
def test_a_killed_run_counts_on(kill: int, tmp_path: Path) -> None:
    scores = [0.9, 0.5, 0.6, 0.7, 0.2, 0.1]
    whole, asked = judged(scores, [SIX, SIX], patience=2, save_every=0.0)
    left, done = [kill], []

    def evaluate(net: Any) -> float:
        done.append(scores[len(done)])
        return done[-1]

    class Killed(BatchesOf):
        def __getitem__(self, rows: Any) -> dict[str, Any]:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return super().__getitem__(rows)

    net = Net()
    with pytest.raises(KeyboardInterrupt):
        train(net, Supervised(BCE()), Killed([4, 4]), [SIX, SIX], tmp_path, evaluate, 2, save_every=0.0)
    again = Net()
    found = train(again, Supervised(BCE()), BatchesOf([4, 4]), [SIX, SIX], tmp_path, evaluate, 2, save_every=0.0)
    assert found.scores == asked
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))

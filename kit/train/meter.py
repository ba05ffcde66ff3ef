"""Meter: mean loss, speed and waiting for data, logged from the first step on, then now and then."""

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kit.core.errors import KitError
from kit.train.step_plan import Batches


class Meter:
    """Mean loss and speed since the last line.

    Args:
        stage: number of the stage, from 0.
        steps: number of steps of the stage.
        done: steps that were done before, by a run that was killed.
        device: device of the loss.
        every: steps between two lines. Reading the loss has to wait for the GPU, so it is not read in each step.
        seconds: after this many seconds without a line, the next step has one: steps may be slow.
    """

    def __init__(
        self, stage: int, steps: int, done: int, device: torch.device, every: int = 20, seconds: float = 10.0
    ) -> None:
        self.stage, self.steps, self.every, self.device, self.seconds = stage, steps, every, device, seconds
        self._begin(done)

    def _begin(self, done: int) -> None:
        self.done, self.rows, self.started, self.waited = done, 0, time.monotonic(), 0.0
        self.loss = torch.zeros((), device=self.device)

    def watched(self, batches: Batches) -> "Watched":
        """The same batches; the seconds that a step waits for them are counted."""
        return Watched(batches, self)

    def add(self, loss: Tensor, rows: int) -> None:
        """Adds the loss of a step, summed over its rows."""
        self.loss += loss
        self.rows += rows

    def due(self, step: int) -> bool:
        """Whether a line is logged after this step, counted from 0: the first, the last, and some others."""
        by_steps = step == 0 or (step + 1) % self.every == 0 or step + 1 == self.steps
        return by_steps or time.monotonic() - self.started >= self.seconds

    def line(self, step: int, epoch: int, lr: float) -> dict[str, Any]:
        """The line to log: mean loss and speed since the last line.

        Args:
            step: number of the step, from 0.
            epoch: number of the epoch, from 1.
            lr: learning rate of the step.

        Raises:
            KitError: the loss is not finite.
        """
        loss, seconds = self.loss.item() / self.rows, time.monotonic() - self.started
        if not math.isfinite(loss):
            raise KitError(f"the loss is {loss} by step {step + 1} of {self.steps}; lower lr or set clip")
        line = {
            "stage": self.stage,
            "step": step + 1,
            "steps": self.steps,
            "epoch": epoch,
            "loss": loss,
            "lr": lr,
            "rows_per_second": self.rows / seconds,
            "steps_per_second": (step + 1 - self.done) / seconds,
            "waiting": self.waited / seconds,  # share of the time in which a step waited for its batches
        }
        self._begin(step + 1)
        return line


class Watched:
    """Batches, and how long it takes until they are there: of those made ahead, only what is left to wait for.

    Args:
        batches: gives the batches.
        meter: is told the seconds.
    """

    def __init__(self, batches: Batches, meter: Meter) -> None:
        self.batches, self.meter = batches, meter

    @property
    def changed(self) -> Any:
        """What changes rows in each epoch, if anything does."""
        return getattr(self.batches, "changed", None)

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.batches.plan(epoch)

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        begun = time.monotonic()
        try:
            return self.batches[rows]
        finally:
            self.meter.waited += time.monotonic() - begun

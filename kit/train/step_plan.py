"""StepPlan: all steps of one stage, planned before it begins."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from kit.core.errors import KitError
from kit.train.schedule import problem_with
from kit.train.stage import LoopStage


class Batches(Protocol):
    """Rows cut into batches: `plan(epoch)` lists the rows' positions in each batch, the same in every call.

    `batches[rows]` gives the tensors of a batch: `inputs` by name, `y` (n, k) and, optionally, `weight` (n,).
    """

    def plan(self, epoch: int) -> list[np.ndarray]: ...
    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]: ...


@dataclass(frozen=True)
class StepPlan:
    """The steps of a stage.

    Attributes:
        steps: for each step its epoch (from 1, within the stage) and its batches.
        trained: for each step the number of epochs trained before it in the whole run, as a fraction.
        epochs: number of epochs that the stage begins.
        before: number of epochs of earlier stages.
        rows_a_step: mean number of rows in a step. With a token budget, batches have different numbers of rows. The
            loss is divided by this mean and not by a batch's own number, so each row has the same weight in an epoch.
    """

    steps: list[tuple[int, list[np.ndarray]]]
    trained: list[float]
    epochs: int
    before: int
    rows_a_step: float

    @classmethod
    def of(cls, batches: Batches, stage: LoopStage, before: int = 0) -> Self:
        """The plan of a stage that begins after `before` epochs of earlier stages."""
        steps: list[tuple[int, list[np.ndarray]]] = []
        trained: list[float] = []
        epochs, least = 0, stage.min_steps if stage.steps is None else stage.steps
        most = stage.steps if stage.steps is not None else stage.max_steps
        while len(steps) < least or (epochs < stage.epochs and len(steps) < (math.inf if most is None else most)):
            plan = batches.plan(before + epochs + 1)
            epochs += 1
            made = [(epochs, plan[i : i + stage.accumulate]) for i in range(0, len(plan), stage.accumulate)]
            steps += made
            trained += [before + epochs - 1 + i / len(made) for i in range(len(made))]
        steps = steps[:most]
        rows = sum(len(rows) for _, together in steps for rows in together)
        return cls(steps, trained[: len(steps)], epochs, before, rows / len(steps))

    @property
    def order(self) -> list[np.ndarray]:
        """All batches, in order."""
        return [rows for _, together in self.steps for rows in together]

    def after(self, done: int) -> list[np.ndarray]:
        """The batches of the steps from `done` on."""
        return [rows for _, together in self.steps[done:] for rows in together]

    def begins(self, step: int) -> bool:
        """Whether an epoch begins with this step."""
        return step == 0 or self.steps[step - 1][0] != self.steps[step][0]

    def ends(self, step: int) -> bool:
        """Whether an epoch, or the stage, ends with this step."""
        return step + 1 == len(self.steps) or self.begins(step + 1)


def step_plans(batches: Sequence[Batches], stages: Sequence[LoopStage]) -> list[StepPlan]:
    """The plans of stages that follow each other.

    Raises:
        KitError: a stage has too few steps for its schedule.
    """
    plans: list[StepPlan] = []
    for rows, stage in zip(batches, stages, strict=True):
        plan = StepPlan.of(rows, stage, sum(plan.epochs for plan in plans))
        if problem := problem_with(stage.schedule, len(plan.steps), stage.warmup):
            raise KitError(f"Stage.schedule = {type(stage.schedule).__name__}: {problem}")
        plans.append(plan)
    return plans

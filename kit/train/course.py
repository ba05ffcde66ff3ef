"""Course: the steps of one stage, laid out before it begins."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from kit.spec import KitError
from kit.train.schedule import problem_with
from kit.train.stage import Stage


class Batches(Protocol):
    """Rows cut into batches: `plan(epoch)` lists their positions, the same ones each time it is asked."""

    def plan(self, epoch: int) -> list[np.ndarray]: ...
    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Course:
    """Steps of a stage.

    Attributes:
        steps: for each, its epoch (from 1, within the stage) and the batches that make it.
        trained: for each, the epochs of the whole run trained before it, with their fraction.
        epochs: how many the stage begins.
        before: epochs of earlier stages.
        rows_a_step: mean rows of a step. Token budgets make batches of unequal row counts; dividing by this, not by a
            batch's own count, gives each row the same weight in an epoch, however long its neighbours are.
    """

    steps: list[tuple[int, list[np.ndarray]]]
    trained: list[float]
    epochs: int
    before: int
    rows_a_step: float

    @classmethod
    def of(cls, batches: Batches, stage: Stage, before: int = 0) -> Self:
        """The course of a stage that `before` epochs of earlier stages come before."""
        steps: list[tuple[int, list[np.ndarray]]] = []
        trained: list[float] = []
        epochs, wanted = 0, math.inf if stage.steps is None else stage.steps
        while len(steps) < wanted if stage.steps else epochs < stage.epochs:
            plan = batches.plan(before + epochs + 1)
            epochs += 1
            cut = [(epochs, plan[i : i + stage.accumulate]) for i in range(0, len(plan), stage.accumulate)]
            steps += cut
            trained += [before + epochs - 1 + i / len(cut) for i in range(len(cut))]
        steps = steps[: stage.steps]
        rows = sum(len(rows) for _, together in steps for rows in together)
        return cls(steps, trained[: len(steps)], epochs, before, rows / len(steps))

    @property
    def order(self) -> list[np.ndarray]:
        """All batches, the first one first."""
        return [rows for _, together in self.steps for rows in together]

    def begins(self, step: int) -> bool:
        """Whether an epoch begins with this step."""
        return step == 0 or self.steps[step - 1][0] != self.steps[step][0]

    def ends(self, step: int) -> bool:
        """Whether an epoch, or the stage, ends with this step."""
        return step + 1 == len(self.steps) or self.begins(step + 1)


def courses_of(batches: Sequence[Batches], stages: Sequence[Stage]) -> list[Course]:
    """The courses of stages that come one after the other.

    Raises:
        KitError: a schedule has too few steps, or a stage sets what `train` does not read.
    """
    courses: list[Course] = []
    for rows, stage in zip(batches, stages, strict=True):
        if unread := list(stage.for_members):
            raise KitError(
                f"train minimises the objective that it is given, on the batches that it is given: "
                f"Stage.{unread[0]} would change nothing; leave it out"
            )
        course = Course.of(rows, stage, sum(course.epochs for course in courses))
        if problem := problem_with(stage.schedule, len(course.steps), stage.warmup):
            raise KitError(f"Stage.schedule = {type(stage.schedule).__name__}: {problem}")
        courses.append(course)
    return courses

"""Learning-rate schedules: stateless, told the step."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kit.spec import KitError, Spec, validator


class Schedule(Spec):
    """How the learning rate goes after warmup; stateless: told the step, it gives a share of the peak rate."""

    rises: ClassVar[bool] = False  # whether it brings its own rise, so that no warmup goes before it

    @abstractmethod
    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        """Share of the peak learning rate at one step.

        Args:
            step: from 0.
            total: steps of the schedule, at least 1.
            scores: judged so far, one per epoch, higher is better; only `Plateau` reads them.
        """

    def momentum(self, step: int, total: int) -> float | None:
        """Momentum (Adam's first beta) at one step; None leaves the optimizer's own."""
        return None

    def problem(self, total: int) -> str:
        """Why it cannot go over so few steps; empty where it can."""
        return ""


class Constant(Schedule):
    """The peak rate throughout."""

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        return 1.0


class Linear(Schedule):
    """Falls along a line, and would reach its end one step after the last."""

    end: float = Field(0.0, ge=0, le=1, description="share of the peak rate at the end")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        return self.end + (1 - self.end) * (total - step) / total


class Cosine(Schedule):
    """Falls along half a cosine, and would reach its end one step after the last (Loshchilov & Hutter 2017)."""

    end: float = Field(0.0, ge=0, le=1, description="share of the peak rate at the end")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        return self.end + (1 - self.end) * _fall(step / total)


class OneCycle(Schedule):
    """Up to the peak, then down far below the start, while the momentum goes the other way (Smith 2018)."""

    rises: ClassVar[bool] = True
    rise: float = Field(0.3, ge=0, lt=1, description="share of all steps in which the rate rises")
    start_div: float = Field(25.0, ge=1, description="peak rate over first rate")
    end_div: float = Field(1e4, ge=1, description="first rate over last rate")
    shape: Literal["cosine", "linear"] = Field("cosine", description="form of rise and fall; linear as in the paper")
    momenta: tuple[float, float] | None = Field(
        (0.95, 0.85), description="momentum at the ends and at the peak; none: the optimizer's own"
    )

    @validator(mode="after")
    def _check_momenta(self) -> Self:
        if self.momenta and not 0 <= self.momenta[1] <= self.momenta[0] < 1:
            raise ValueError(f"momenta = {self.momenta} must fall from the ends to the peak, within 0 and 1")
        return self

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        height, rising = self._height(step, total)
        low = 1 / self.start_div if rising else 1 / (self.start_div * self.end_div)
        return low + (1 - low) * height

    def momentum(self, step: int, total: int) -> float | None:
        if self.momenta is None:
            return None
        ends, peak = self.momenta
        return ends + (peak - ends) * self._height(step, total)[0]

    def _height(self, step: int, total: int) -> tuple[float, bool]:
        """How far up, 0 at both ends and 1 at the peak, and whether on the rise."""
        peak = max(0.0, self.rise * total - 1)
        rising = step < peak
        done = 1 - step / peak if rising else (step - peak) / max(1.0, total - 1 - peak)
        return _fall(done) if self.shape == "cosine" else 1 - done, rising


class SlantedTriangular(Schedule):
    """A short line up, a long line down (Howard & Ruder 2018, equation 3).

    Where `cut` of the steps is not whole, the paper's fall would go below zero; here it ends with the last step.
    """

    rises: ClassVar[bool] = True
    cut: float = Field(0.1, ge=0, lt=1, description="share of all steps in which the rate rises")
    ratio: float = Field(32.0, ge=1, description="peak rate over lowest rate")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        cut = math.floor(self.cut * total + 1e-9)  # 0.29 · 100 is a hair below 29
        p = step / cut if step < cut else 1 - (step - cut) / (total - cut)
        return (1 + p * (self.ratio - 1)) / self.ratio


class CosineRestarts(Schedule):
    """Half a cosine, again and again from the peak (Loshchilov & Hutter 2017; Huang et al. 2017, equation 2).

    The cycles' lengths differ by a step at most, so that the last one is as whole as the others.
    """

    cycles: int = Field(5, ge=1, description="times that the rate falls")
    end: float = Field(0.0, ge=0, le=1, description="share of the peak rate at the end of a cycle")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        starts = self._starts(total)
        cycle = step * self.cycles // total
        done = (step - starts[cycle]) / (starts[cycle + 1] - starts[cycle])
        return self.end + (1 - self.end) * _fall(done)

    def problem(self, total: int) -> str:
        few = f"{self.cycles} cycles need at least {self.cycles} steps; there are {total}"
        return few if total < self.cycles else ""

    def ends(self, total: int) -> list[int]:
        """The last step, from 0, of each cycle."""
        return [start - 1 for start in self._starts(total)[1:]]

    def _starts(self, total: int) -> list[int]:
        if problem := self.problem(total):
            raise KitError(problem)
        return [-(-cycle * total // self.cycles) for cycle in range(self.cycles + 1)]


class Plateau(Schedule):
    """Drops each time that the judged score has not risen for more than `patience` epochs.

    It reads the whole history of scores, so that a run that goes on needs no state of it.
    """

    drop: float = Field(0.1, gt=0, lt=1, description="what the rate is multiplied by")
    patience: int = Field(1, ge=0, description="epochs without a better score that are forgiven")
    lowest: float = Field(0.0, ge=0, le=1, description="share of the peak rate below which it never goes")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        best, waited, drops = -math.inf, 0, 0
        for score in scores:
            best, waited = (score, 0) if score > best else (best, waited + 1)
            if waited > self.patience:
                drops, waited = drops + 1, 0
        return max(self.lowest, self.drop**drops)


def _fall(done: float) -> float:
    """Half a cosine from 1 at `done` 0 to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * done))


def warmup_steps(total: int, share: float) -> int:
    """Steps in which the rate rises, of `total`."""
    return math.ceil(share * total - 1e-9)  # 0.07 · 100 is a hair above 7


def problem_with(schedule: Schedule, total: int, warmup: float = 0.0) -> str:
    """Why a schedule cannot go over `total` steps, warmup among them; empty where it can."""
    rising = 0 if schedule.rises else warmup_steps(total, warmup)
    problem = schedule.problem(total - rising)
    return f"{problem} after warmup" if problem and rising else problem


def warmed(schedule: Schedule, step: int, total: int, warmup: float = 0.0, scores: Sequence[float] = ()) -> float:
    """Share of the peak learning rate that step `step` (from 0) of `total` uses.

    Warmup rises linearly and reaches 1 at its last step, so that no step is wasted at rate zero (Goyal et al. 2017);
    the schedule runs over the steps that remain. One that rises by itself runs over all steps, without warmup.
    """
    rising = 0 if schedule.rises else warmup_steps(total, warmup)
    if step < rising:
        return (step + 1) / rising
    return schedule.factor(step - rising, total - rising, scores)


def curve(schedule: Schedule, total: int, warmup: float = 0.0) -> np.ndarray:
    """Shares of the peak learning rate at all steps, (total,), to be drawn."""
    return np.array([warmed(schedule, step, total, warmup) for step in range(total)])

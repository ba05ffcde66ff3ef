"""Learning-rate schedules. They keep no state: the rate depends on the step number alone (and on past scores)."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import Spec, validator


class Schedule(Spec):
    """Base class of schedules. `factor` gives the learning rate of a step after warmup, as a share of the peak rate."""

    rises: ClassVar[bool] = False  # whether the schedule begins with a rise of its own, so there is no warmup before it

    @abstractmethod
    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        """Learning rate at one step, as a share of the peak rate.

        Args:
            step: number of the step, from 0.
            total: steps of the schedule, at least 1.
            scores: validation scores so far, one per epoch, higher is better; only `Plateau` uses them.
        """

    def momentum(self, step: int, total: int) -> float | None:
        """Momentum (Adam's first beta) at one step; None: the optimizer's own."""
        return None

    def problem(self, total: int) -> str:
        """Why the schedule does not work with so few steps; empty if it does."""
        return ""


class Constant(Schedule):
    """The peak rate in every step."""

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        return 1.0


class LinearDecay(Schedule):
    """Falls linearly. `end` would be reached one step after the last."""

    end: float = Field(0.0, ge=0, le=1, description="share of the peak rate at the end")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        return self.end + (1 - self.end) * (total - step) / total


class Cosine(Schedule):
    """Falls along half a cosine (Loshchilov & Hutter 2017). `end` would be reached one step after the last."""

    end: float = Field(0.0, ge=0, le=1, description="share of the peak rate at the end")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        return self.end + (1 - self.end) * _fall(step / total)


class CosineLog(Schedule):
    """Cycles that become longer and longer: ½ (1 − cos(2π log₂(1 + (2^cycles − 1) t))) at the share t of the steps.

    "coslog4" of RealMLP (Holzmüller et al. 2024). Each cycle begins and ends at zero. t is that of the middle of a
    step, so no step has rate zero.
    """

    rises: ClassVar[bool] = True
    cycles: int = Field(4, ge=1, description="number of cycles")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        t = (step + 0.5) / total
        return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + (2**self.cycles - 1) * t)))


class FlatCosine(Schedule):
    """1 in the first part of the steps, then it falls along half a cosine (Holzmüller et al. 2024)."""

    flat: float = Field(0.5, ge=0, lt=1, description="share of the steps before the fall")
    end: float = Field(0.0, ge=0, le=1, description="share of the first value at the end")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        done = max(0.0, step / total - self.flat) / (1 - self.flat)
        return self.end + (1 - self.end) * _fall(done)


class OneCycle(Schedule):
    """One-cycle policy (Smith 2018): rises to the peak, then falls far below the first rate.

    The momentum goes the other way: it is lowest at the peak.
    """

    rises: ClassVar[bool] = True
    rise: float = Field(0.3, ge=0, lt=1, description="share of all steps in which the rate rises")
    start_div: float = Field(25.0, ge=1, description="peak rate divided by first rate")
    end_div: float = Field(1e4, ge=1, description="first rate divided by last rate")
    shape: Literal["cosine", "linear"] = Field("cosine", description="shape of rise and fall; linear in the paper")
    momenta: tuple[float, float] | None = Field(
        (0.95, 0.85), description="momentum at both ends, and at the peak; none: the optimizer's own"
    )

    @validator(mode="after")
    def _check_momenta(self) -> Self:
        if self.momenta and not 0 <= self.momenta[1] <= self.momenta[0] < 1:
            raise ValueError(f"momenta = {self.momenta}: both must be in [0, 1), the second not above the first")
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
        """Height of the curve, 0 at both ends and 1 at the peak; and whether it rises."""
        peak = max(0.0, self.rise * total - 1)
        rising = step < peak
        done = 1 - step / peak if rising else (step - peak) / max(1.0, total - 1 - peak)
        return _fall(done) if self.shape == "cosine" else 1 - done, rising


class SlantedTriangular(Schedule):
    """Slanted triangular rates (Howard & Ruder 2018, equation 3): a short linear rise, then a long linear fall.

    If `cut` · steps is not a whole number, the paper's formula would fall below zero; here the fall ends at the last
    step.
    """

    rises: ClassVar[bool] = True
    cut: float = Field(0.1, ge=0, lt=1, description="share of all steps in which the rate rises")
    ratio: float = Field(32.0, ge=1, description="peak rate divided by lowest rate")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        cut = math.floor(self.cut * total + 1e-9)  # in floating point 0.29 · 100 is a little below 29
        p = step / cut if step < cut else 1 - (step - cut) / (total - cut)
        return (1 + p * (self.ratio - 1)) / self.ratio


class CosineRestarts(Schedule):
    """Several cycles; in each the rate falls from the peak along half a cosine.

    SGDR (Loshchilov & Hutter 2017), with cycles of equal length as in Huang et al. (2017, equation 2). Lengths differ
    by one step at most, so the last cycle is complete.
    """

    cycles: int = Field(5, ge=1, description="number of cycles")
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
    """Multiplies the rate by `drop` when the validation score has not improved for more than `patience` epochs.

    It reads the whole history of scores, so a resumed run needs no saved state.
    """

    drop: float = Field(0.1, gt=0, lt=1, description="factor on the rate")
    patience: int = Field(1, ge=0, description="epochs without a better score before the rate drops")
    lowest: float = Field(0.0, ge=0, le=1, description="lowest rate, as a share of the peak rate")

    def factor(self, step: int, total: int, scores: Sequence[float] = ()) -> float:
        best, waited, drops = -math.inf, 0, 0
        for score in scores:
            best, waited = (score, 0) if score > best else (best, waited + 1)
            if waited > self.patience:
                drops, waited = drops + 1, 0
        return max(self.lowest, self.drop**drops)


def _fall(done: float) -> float:
    """Half a cosine: 1 for done = 0, 0 for done = 1."""
    return 0.5 * (1 + math.cos(math.pi * done))


def warmup_steps(total: int, share: float) -> int:
    """Number of warmup steps out of `total`."""
    return math.ceil(share * total - 1e-9)  # in floating point 0.07 · 100 is a little above 7


def problem_with(schedule: Schedule, total: int, warmup: float = 0.0) -> str:
    """Why a schedule does not work with `total` steps, warmup included; empty if it does."""
    rising = 0 if schedule.rises else warmup_steps(total, warmup)
    problem = schedule.problem(total - rising)
    return f"{problem} after warmup" if problem and rising else problem


def warmed(schedule: Schedule, step: int, total: int, warmup: float = 0.0, scores: Sequence[float] = ()) -> float:
    """Learning rate of step `step` (from 0) of `total`, as a share of the peak rate.

    Warmup (Goyal et al. 2017) rises linearly and reaches 1 in its last step, so no step has rate zero. The schedule
    runs over the steps that remain. A schedule that rises by itself runs over all steps, without warmup.
    """
    rising = 0 if schedule.rises else warmup_steps(total, warmup)
    if step < rising:
        return (step + 1) / rising
    return schedule.factor(step - rising, total - rising, scores)


def rate_curve(schedule: Schedule, total: int, warmup: float = 0.0) -> np.ndarray:
    """Learning rates of all steps as shares of the peak rate, (total,), for a plot."""
    return np.array([warmed(schedule, step, total, warmup) for step in range(total)])

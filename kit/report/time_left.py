"""Time left: an estimate for the remaining folds, from the finished folds of each member."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.core.units import duration


@dataclass(frozen=True)
class UnderWay:
    """A fold that is fitted at this moment.

    Attributes:
        member: the member of the fold.
        elapsed: seconds since it began.
        left: seconds that its other training steps will take; None if there are no steps, or none is done.
    """

    member: str
    elapsed: float
    left: float | None = None


@dataclass(frozen=True)
class TimeLeft:
    """An estimate, or the reason why there is none.

    Attributes:
        seconds: until all folds are finished; None if unknown.
        unknown: if unknown, a member without any timed fold.
    """

    seconds: float | None
    unknown: str = ""

    def __str__(self) -> str:
        if self.seconds is None:
            return f"time left unknown until {self.unknown} has one fold"
        return f"about {duration(self.seconds)} left"


class Pace:
    """Tells how long the training steps of a fold will take, from the steps that it has logged.

    The first step gives its own speed. Later ones give the mean since the first, so that validations count as well, but
    not what was loaded before the first step.
    """

    def __init__(self) -> None:
        self.first: tuple[float, float] | None = None
        self.last, self.by_speed = (0.0, 0.0), 0.0

    def see(self, now: float, share: float, by_speed: float) -> None:
        """Notes the newest logged step.

        Args:
            now: the time in seconds, of any clock.
            share: part of the training that is done, from 0 to 1.
            by_speed: seconds until all steps are done, at the speed of this step.
        """
        if self.first is None or share < self.first[1]:
            self.first = self.last = (now, share)
        elif share > self.last[1]:
            self.last = (now, share)
        self.by_speed = by_speed

    def left(self, now: float) -> float | None:
        """Seconds until all steps are done; None if none is logged."""
        if self.first is None:
            return None
        (began, before), (seen, share) = self.first, self.last
        left = self.by_speed if share == before else (seen - began) / (share - before) * (1 - share)
        return max(0.0, left - (now - seen))


def time_left(
    waiting: Mapping[str, int], under_way: Sequence[UnderWay], finished: Mapping[str, Sequence[float]]
) -> TimeLeft:
    """Estimates the seconds until all folds are finished, with as many folds fitted at once as now.

    The speed of members differs by a factor of 100, so the time of a fold is estimated from finished folds of the same
    member, of this run or an earlier one. If there is none, it is estimated from the speed of the training steps. If
    there are no steps either, the time is unknown.

    Args:
        waiting: member → number of folds that have not begun.
        under_way: folds that are being fitted.
        finished: member → seconds of each finished fold.
    """
    left = []
    for fold in under_way:
        usual = _mean(finished.get(fold.member, ()))
        if fold.left is None and usual is None:
            return TimeLeft(None, fold.member)
        # the steps do not include the predictions after the last step, but the usual time does
        left.append(max(fold.left or 0.0, 0.0 if usual is None else usual - fold.elapsed))
    later = 0.0
    for member, count in waiting.items():
        if not count:
            continue
        seconds = _mean(finished.get(member, ()))
        if seconds is None:
            guesses = [f.elapsed + f.left for f in under_way if f.member == member and f.left is not None]
            seconds = _mean(guesses)
        if seconds is None:
            return TimeLeft(None, member)
        later += count * seconds
    return TimeLeft(max([(sum(left) + later) / max(1, len(under_way)), *left]))


def _mean(seconds: Sequence[float]) -> float | None:
    return sum(seconds) / len(seconds) if seconds else None

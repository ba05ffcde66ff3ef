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
        share: share of its training steps that is done, from 0 to 1; None if there are no steps, or none is done.
    """

    member: str
    elapsed: float
    share: float | None = None


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


def time_left(
    waiting: Mapping[str, int], under_way: Sequence[UnderWay], finished: Mapping[str, Sequence[float]]
) -> TimeLeft:
    """Estimates the seconds until all folds are finished, with as many folds fitted at once as now.

    The speed of members differs by a factor of 100, so the time of a fold is estimated from finished folds of the same
    member, of this run or an earlier one. If there is none, it is estimated from the training steps that a fold has
    done. If there are no steps either, the time is unknown.

    Args:
        waiting: member → number of folds that have not begun.
        under_way: folds that are being fitted.
        finished: member → seconds of each finished fold.
    """
    left = []
    for fold in under_way:
        by_steps = fold.elapsed * (1 - fold.share) / fold.share if fold.share else None
        usual = _mean(finished.get(fold.member, ()))
        if by_steps is None and usual is None:
            return TimeLeft(None, fold.member)
        # the steps do not include the predictions after the last step, but the usual time does
        left.append(max(by_steps or 0.0, 0.0 if usual is None else usual - fold.elapsed))
    later = 0.0
    for member, count in waiting.items():
        if not count:
            continue
        seconds = _mean(finished.get(member, ()))
        if seconds is None:
            guesses = [fold.elapsed / fold.share for fold in under_way if fold.member == member and fold.share]
            seconds = _mean(guesses)
        if seconds is None:
            return TimeLeft(None, member)
        later += count * seconds
    return TimeLeft(max([(sum(left) + later) / max(1, len(under_way)), *left]))


def _mean(seconds: Sequence[float]) -> float | None:
    return sum(seconds) / len(seconds) if seconds else None

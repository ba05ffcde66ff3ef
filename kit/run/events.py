"""What is reported while jobs are fitted, for a progress display. Steps inside a fold are in its log.jsonl."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.run.job import Job
from kit.run.outcome import Outcome


@dataclass(frozen=True)
class PrepareStarted:
    """A member begins to compute, before its folds, what needs no labels; `job` is its first fold."""

    job: Job


@dataclass(frozen=True)
class PrepareEnded:
    """This computation has ended.

    Attributes:
        job: the job of its PrepareStarted.
        seconds: how long it took.
        sentence: the error, if it failed; then none of the member's folds is fitted. Empty: no error.
    """

    job: Job
    seconds: float
    sentence: str = ""


@dataclass(frozen=True)
class FoldStarted:
    """The fit of a fold begins. On Ray this is a guess: jobs begin in order, as many as fit on the cluster."""

    job: Job

    @property
    def log(self) -> Path:
        """The file in which a network logs its steps; a member made of members has such a file for each part."""
        return self.job.store.part(self.job.fold) / "log.jsonl"


@dataclass(frozen=True)
class FoldEnded:
    """A fold is finished, or it failed, or another process is fitting it.

    Attributes:
        job: the fold.
        outcome: how it ended.
        score: the score of the fold's rows; nan if the metric gives none, None if the fold is not finished.
        metric: name of the metric of this score.
        seconds: how long fit and prediction took, now or in an earlier command; None if the fold is not finished.
        fault: why the metric failed on the fold's predictions, which are kept all the same; empty if it did not.
    """

    job: Job
    outcome: Outcome
    score: float | None = None
    metric: str = ""
    seconds: float | None = None
    fault: str = ""


Event = PrepareStarted | PrepareEnded | FoldStarted | FoldEnded
OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignores an event."""

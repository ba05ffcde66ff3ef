"""Budget: fits what is missing until the time is used up."""

import os
import time
from collections.abc import Sequence

import numpy as np

from kit.run.events import OnEvent
from kit.run.jobs import Job, fit_jobs, unfinished
from kit.run.outcome import Outcome


class Budget:
    """Fits the folds that are not in the bank, until the time is used up.

    The time is checked before every fit (with `processes:N` before every N fits, with Ray before every block). If there
    is no time for a whole block, its finished fits are kept, and the next call goes on there.

    Args:
        hours: the time, from now on; None: no limit.
        on: the executor, see `kit.run.execute`.
        guess: seconds of a fit, used until one was timed here; folds in the bank may come from another machine.
    """

    def __init__(self, hours: float | None, on: str, guess: float = 0.0) -> None:
        self.on, self.guess = on, guess
        self.end = None if hours is None else time.monotonic() + hours * 3600
        self.seconds: list[float] = []

    def fit(self, jobs: Sequence[Job], on_event: OnEvent) -> tuple[dict[Job, Outcome], bool]:
        """The outcomes of the jobs, and whether there was time for all of them."""
        missing = unfinished(jobs)
        outcomes = fit_jobs([job for job in jobs if job not in missing], "inline", on_event)
        at_once = self._at_once() or max(len(missing), 1)
        for start in range(0, len(missing), at_once):
            if self._late():
                return outcomes, False
            some, began = missing[start : start + at_once], time.monotonic()
            ended = fit_jobs(some, self.on, on_event)
            outcomes |= ended
            if any(outcome.finished for outcome in ended.values()):  # a fit that fails at once says nothing
                self.seconds.append(time.monotonic() - began)
        return outcomes, True

    def _late(self) -> bool:
        """Whether a fit that begins now would probably end too late."""
        if self.end is None:
            return False
        return time.monotonic() + (float(np.mean(self.seconds)) if self.seconds else self.guess) > self.end

    def _at_once(self) -> int | None:
        """How many fits begin together; None: all."""
        kind, _, rest = self.on.partition(":")
        if self.end is None or kind == "ray":
            return None
        return 1 if kind == "inline" else int(rest or os.cpu_count() or 1)

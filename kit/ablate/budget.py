"""Budget: fits are begun as long as the time lasts."""

import os
import time
from collections.abc import Sequence

import numpy as np

from kit.variants import Fit, Told, fit_all


class Budget:
    """Fits what the bank lacks until an hour is reached.

    Time is looked at before every fit (of `processes:N` before N of them, of Ray before each block), so that of a block
    that does not end in time a part is kept, and the next call goes on there.

    Args:
        hours: from now; None: no limit.
        on: the executor.
        guess: seconds of a fit, until one has been timed here; what is kept says nothing of how fast this machine is.
    """

    def __init__(self, hours: float | None, on: str, guess: float = 0.0) -> None:
        self.on, self.guess = on, guess
        self.end = None if hours is None else time.monotonic() + hours * 3600
        self.took: list[float] = []

    def fit(self, fits: Sequence[Fit], told: Told) -> tuple[dict[Fit, str], bool]:
        """What went wrong, as of `fit_all`, and whether all of them were begun."""
        missing = [fit for fit in fits if fit.variant.kept(fit.fold) is None]
        faults = fit_all([fit for fit in fits if fit not in missing], "inline", told)
        at_once = self._at_once() or max(len(missing), 1)
        for start in range(0, len(missing), at_once):
            if self._late():
                return faults, False
            some, began = missing[start : start + at_once], time.monotonic()
            failed = fit_all(some, self.on, told)
            faults |= failed
            if len(failed) < len(some):  # what fails at once says nothing of how long a fit takes
                self.took.append(time.monotonic() - began)
        return faults, True

    def _late(self) -> bool:
        """Whether what begins now would probably end too late."""
        if self.end is None:
            return False
        return time.monotonic() + (float(np.mean(self.took)) if self.took else self.guess) > self.end

    def _at_once(self) -> int | None:
        """Fits that are begun together; None: as many as there are."""
        kind, _, rest = self.on.partition(":")
        if self.end is None or kind == "ray":
            return None
        return 1 if kind == "inline" else int(rest or os.cpu_count() or 1)

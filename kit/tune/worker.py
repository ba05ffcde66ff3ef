"""A worker takes trials until there are none left; several of them share one study."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kit.execute import execute
from kit.run import Run, opened
from kit.threads import use_threads
from kit.tune.study import Search, opened_storage, opened_study, quiet, taken
from kit.tune.trial import carry_out

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

Told = Callable[["FrozenTrial", list["FrozenTrial"]], None]


@dataclass
class Teller:
    """Tells each trial once, when it has ended, in the order of their ends.

    Attributes:
        study: is looked at again at every call.
        told: hears them, with all that have ended.
        known: numbers of those that ended before this search, which are not told.
    """

    study: "Study"
    told: Told
    known: set[int]

    def __call__(self) -> None:
        ended = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        fresh = [trial for trial in ended if trial.number not in self.known]
        for trial in sorted(fresh, key=lambda t: (t.datetime_complete, t.number)):
            self.known.add(trial.number)
            self.told(trial, ended)


def work(
    search: Search,
    run: Run | None = None,
    storage: "RDBStorage | None" = None,
    tell: Callable[[], None] = lambda: None,
) -> int:
    """One worker's share; gives how many trials it carried out.

    Args:
        run: the opened run, where this process has it.
        storage: the opened storage, likewise.
        tell: called after each trial.
    """
    if run is None:
        assert search.brief is not None
        use_threads(search.brief.threads)
        run = opened(search.brief)
    count = 0
    with quiet():
        storage = storage or opened_storage(search.storage)
        study = opened_study(search, storage, run.table.task.metric.greater_is_better)
        while True:
            with taken(study, storage, search) as trial:
                if trial is None:
                    return count
                carry_out(run, search, study, trial)
            count += 1
            tell()


def work_together(search: Search, workers: int, on: str, tell: Callable[[], None], every: float = 1.0) -> None:
    """Lets several workers go, in processes or on Ray, and tells what they have ended while they are at it."""
    import threading

    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            tell()

    teller = threading.Thread(target=watch, daemon=True)
    teller.start()
    faults: list[Any] = []
    try:
        jobs = [replace(search, worker=number) for number in range(workers)]
        with closing(execute(jobs, work, on)) as outcomes:  # closed, so that Ctrl-C at any moment ends the workers
            faults = [outcome for _, outcome in outcomes if isinstance(outcome, BaseException)]
    finally:
        ended.set()
        teller.join()
        tell()
    for fault in faults:
        raise fault

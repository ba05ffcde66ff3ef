"""Workers: each one runs trials until there are none left; several workers share one study."""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kit.core.machine import MachineFault
from kit.core.threads import use_threads
from kit.run.execute import execute
from kit.tune.storage import opened_storage, quiet, reached
from kit.tune.study import Search, opened_study, taken
from kit.tune.trial import carry_out

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

OnFrozenTrial = Callable[["FrozenTrial", list["FrozenTrial"]], None]


@dataclass
class Reporter:
    """Reports each trial once, after it has ended, in the order in which trials ended.

    Attributes:
        study: the study; each call reads it again.
        on_trial: called with a trial, and with all trials that have ended.
        known: numbers of trials that ended before this search; they are not reported.
    """

    study: "Study"
    on_trial: OnFrozenTrial
    known: set[int]

    def __call__(self) -> None:
        ended = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        fresh = [trial for trial in ended if trial.number not in self.known]
        for trial in sorted(fresh, key=lambda t: (t.datetime_complete, t.number)):
            self.known.add(trial.number)
            self.on_trial(trial, ended)


def work(search: Search, storage: "RDBStorage | None" = None, on_end: Callable[[], None] = lambda: None) -> int:
    """Runs trials until there are none left; returns how many it ran.

    Args:
        search: the search.
        storage: the storage, if this process has opened it already.
        on_end: called after each trial.
    """
    count, run = 0, search.run
    use_threads(run.threads)
    with quiet(), reached(search.storage):
        storage = storage or opened_storage(search.storage)
        study = opened_study(search, storage, run.table.task.metric.greater_is_better)
        while True:
            with taken(study, storage, search) as trial:
                if trial is None:
                    return count
                carry_out(run, search, study, trial)
            count += 1
            on_end()


def work_together(search: Search, workers: int, on: str, report: Callable[[], None], every: float = 1.0) -> None:
    """Runs several workers, in processes or on Ray, and calls `report` every few seconds until they end."""
    import threading

    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            report()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    faults: list[Any] = []
    try:
        jobs = [replace(search, worker=number) for number in range(workers)]
        with closing(execute(jobs, work, on)) as outcomes:  # `closing`: Ctrl-C ends the workers
            faults = [outcome for _, outcome in outcomes if isinstance(outcome, BaseException)]
    finally:
        ended.set()
        watcher.join()
        report()
    for fault in faults:
        if isinstance(fault, BrokenExecutor):  # the system killed it, perhaps because memory ran out
            raise MachineFault(
                "a process of the search was killed; its trial is not lost: it will be run again"
            ) from None
        raise fault

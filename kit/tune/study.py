"""The Optuna study of a search, and the next trial of a worker."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.files import lock
from kit.run.run import Run
from kit.tune.knobs import Knob
from kit.tune.storage import BEAT, GRACE, alone

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial


@dataclass(frozen=True)
class Search:
    """Everything that a worker needs; it can be sent to other processes, as a run can.

    Attributes:
        run: recipe, rows and run folder.
        member: name of the member.
        knobs: the searched settings.
        folds: folds that trials are scored on, in this order.
        trials: total number of trials, including pruned and refused ones.
        until: time (as in `time.time`) after which nothing new begins; None: no limit.
        storage: address of the database.
        study: name of the study in it.
        folder: folder of locks, shared by all workers of a machine.
        seed: seed of the sampler.
        pruner: median, wilcoxon or none.
        worker: number of the worker.
    """

    run: Run
    member: str
    knobs: tuple[Knob, ...]
    folds: tuple[int, ...]
    trials: int
    until: float | None
    storage: str = field(repr=False)
    study: str
    folder: Path
    seed: int
    pruner: str
    worker: int = 0

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.until is not None and time.time() >= self.until


def opened_study(search: Search, storage: "RDBStorage", greater_is_better: bool) -> "Study":
    """The study; it is created if it does not exist."""
    import optuna

    from kit.tune.sampler import Repeatable, pruner_named

    return optuna.create_study(
        storage=storage, study_name=search.study, direction="maximize" if greater_is_better else "minimize",
        sampler=Repeatable(search.seed), pruner=pruner_named(search.pruner), load_if_exists=True,
    )  # fmt: skip


def begun_study(search: Search, storage: "RDBStorage", greater_is_better: bool) -> "Study":
    """The study at the start of a search. Its first trial has the recipe's own settings.

    If these were refused in an earlier search, they are tried again: the cause may not exist any more.
    """
    study = opened_study(search, storage, greater_is_better)
    with alone(search.storage):  # another search may begin at the same time
        own = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get("own")]
        if all("why" in trial.user_attrs for trial in own):
            study.enqueue_trial({knob.name: knob.own for knob in search.knobs}, user_attrs={"own": True})
    return study


def is_lost(trial: "FrozenTrial") -> bool:
    """Whether the trial failed because its process was killed, not because of its settings. It will be repeated."""
    return trial.state.name == "FAIL" and "why" not in trial.user_attrs


@contextlib.contextmanager
def taken(study: "Study", storage: "RDBStorage", search: Search) -> "Iterator[Trial | None]":
    """Context with the next trial, locked for this worker; None if there is no trial left.

    If the worker of a trial was killed on this machine, its lock is free, and the trial is continued. A trial of
    another machine is repeated when its heartbeat has stopped.
    """
    with contextlib.ExitStack() as held:
        with alone(search.storage):
            trial = None if search.over else _abandoned(study, search, held) or _next(study, search, held)
            if trial is not None:
                storage.record_heartbeat(trial._trial_id)  # before others look for trials without a heartbeat
        if trial is None:
            yield None
            return
        stop = threading.Event()
        beat = threading.Thread(target=_beat, args=(storage, trial._trial_id, stop), daemon=True)
        beat.start()
        try:
            yield trial
        finally:
            stop.set()
            beat.join()


def _beat(storage: "RDBStorage", trial: int, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        with contextlib.suppress(Exception):  # a short interruption of the database must not end the fit
            storage.record_heartbeat(trial)


def _lock(search: Search, number: int) -> Path:
    return search.folder / f"{search.study}-{number}.lock"


def _abandoned(study: "Study", search: Search, held: contextlib.ExitStack) -> "Trial | None":
    from optuna.trial import Trial, TrialState

    for found in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        mine = _lock(search, found.number).exists()
        if mine and held.enter_context(lock(_lock(search, found.number))):
            return Trial(study, found._trial_id)
    return None


def _next(study: "Study", search: Search, held: contextlib.ExitStack) -> "Trial | None":
    import optuna

    optuna.storages.fail_stale_trials(study)
    _fail_unborn(study)
    trials = study.get_trials(deepcopy=False)
    again = {t.user_attrs.get("retries") for t in trials}
    for lost in trials:
        if is_lost(lost) and lost.number not in again:
            kept = {k: v for k, v in lost.user_attrs.items() if k == "own"}
            study.enqueue_trial(lost.params, user_attrs=kept | {"retries": lost.number})
            again.add(lost.number)
    count = sum(not is_lost(trial) for trial in trials)
    if not (waiting := _waiting(study)):
        if count >= search.trials:
            return None
        study.enqueue_trial({})
        waiting = _waiting(study)
    # lock the trial before it starts: a process that is killed at any moment then leaves either a waiting trial, or a
    # started one with a free lock
    held.enter_context(lock(_lock(search, waiting[0]), wait=math.inf))
    return study.ask()


def _waiting(study: "Study") -> list[int]:
    """Numbers of the trials that no worker has started; `ask` takes the first of them."""
    from optuna.trial import TrialState

    return sorted(trial.number for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def _fail_unborn(study: "Study") -> None:
    """Ends trials whose worker was killed before it drew a value: they have neither a lock nor a heartbeat."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        began = trial.datetime_start
        if not trial.params and began and time.time() - began.timestamp() > GRACE:
            with contextlib.suppress(Exception):  # another machine was quicker
                study.tell(trial.number, state=TrialState.FAIL)

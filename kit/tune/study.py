"""The study behind a search: where it is stored, and which trial a worker takes next."""

import contextlib
import logging
import math
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.files import lock
from kit.run import Brief
from kit.spec import KitError
from kit.tune.knobs import Knob

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

BEAT, GRACE = 20, 90  # seconds between signs of life of a trial, and without one before another machine retries it


@dataclass(frozen=True)
class Search:
    """All that a worker must know; travels to other processes.

    Attributes:
        brief: names from which the run is opened; None where the worker is given one.
        member: what is searched.
        knobs: its searched settings.
        folds: those that judge, in this order.
        trials: how many there shall be, pruned and refused ones counted.
        until: time (as of `time.time`) after which nothing new begins, or None.
        storage: address of the database.
        study: name in it.
        folder: for locks, one folder for all workers of a machine.
        seed: of the sampler.
        pruner: median, wilcoxon or none.
        worker: number of the worker.
    """

    brief: Brief | None
    member: str
    knobs: tuple[Knob, ...]
    folds: tuple[int, ...]
    trials: int
    until: float | None
    storage: str
    study: str
    folder: Path
    seed: int
    pruner: str
    worker: int = 0

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.until is not None and time.time() >= self.until


def address(storage: str, default: Path) -> str:
    """What SQLAlchemy calls a storage; nothing is opened.

    Args:
        storage: sqlite:///FILE, postgresql://…, or empty for an SQLite file of this path.
    """
    if not storage:
        return f"sqlite:///{default.absolute()}"
    kind, found, rest = storage.partition("://")
    if found and kind == "sqlite" and rest.startswith("/"):
        return f"sqlite:///{Path(rest[1:]).absolute()}"  # workers may stand in other folders
    if not found or kind not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise KitError(f"storage={_hidden(storage)}: not of the form postgresql://user@host/name or sqlite:///file")
    return f"postgresql+psycopg://{rest}"


def opened_storage(url: str) -> "RDBStorage":
    """The storage at an address, its tables made where they are not there.

    Raises:
        KitError: it cannot be opened.
    """
    import optuna

    given = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    try:
        if url.startswith("postgresql"):
            import psycopg  # noqa: F401
        with quiet():
            return optuna.storages.RDBStorage(url, engine_kwargs=given, heartbeat_interval=BEAT, grace_period=GRACE)
    except ImportError as error:
        if error.name == "psycopg":
            raise KitError("storage=postgresql://… needs the extra 'postgres': pip install 'kit[postgres]'") from None
        raise
    except Exception as error:  # SQLAlchemy's and the driver's own kinds
        root = error
        while root.__cause__ is not None:
            root = root.__cause__  # type: ignore[assignment]
        said = (str(root).strip().splitlines() or [type(root).__name__])[0]
        raise KitError(f"storage={_hidden(url)} cannot be opened: {said}") from None


def _hidden(url: str) -> str:
    """The address without a password."""
    before, at, after = url.rpartition("@")
    head, colon, _ = before.removeprefix(scheme := before.partition("://")[0] + "://").partition(":")
    return f"{scheme}{head}:…@{after}" if at and colon else url


def opened_study(search: Search, storage: "RDBStorage", greater_is_better: bool) -> "Study":
    """The study, made where it is not there."""
    import optuna

    from kit.tune.sampler import Repeatable, pruner_named

    return optuna.create_study(
        storage=storage, study_name=search.study, direction="maximize" if greater_is_better else "minimize",
        sampler=Repeatable(search.seed), pruner=pruner_named(search.pruner), load_if_exists=True,
    )  # fmt: skip


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Optuna's log and its warnings of what is experimental are not shown; errors are."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"optuna\.")
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", message="The reported value is ignored")
            yield
    finally:
        optuna.logging.set_verbosity(level)


def is_lost(trial: "FrozenTrial") -> bool:
    """Whether it failed because its process died, not by its settings; it is then tried again as another trial."""
    return trial.state.name == "FAIL" and "why" not in trial.user_attrs


@contextlib.contextmanager
def taken(study: "Study", storage: "RDBStorage", search: Search) -> "Iterator[Trial | None]":
    """The trial to work on next, held for the block; None where there is none left.

    A trial whose worker died on this machine is gone on with: its lock is free. One of another machine is tried again
    when its signs of life have stopped.
    """
    with contextlib.ExitStack() as held:
        with lock(search.folder / "ask.lock", wait=math.inf):
            trial = None if search.over else _abandoned(study, search, held) or _next(study, search, held)
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
    while True:
        with contextlib.suppress(Exception):  # a database that is away for a moment must not end the fit
            storage.record_heartbeat(trial)
        if stop.wait(BEAT):
            return


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
    from optuna.trial import TrialState

    optuna.storages.fail_stale_trials(study)
    _fail_unborn(study)
    trials = study.get_trials(deepcopy=False)
    again = {t.user_attrs.get("retries") for t in trials}
    for lost in trials:
        if is_lost(lost) and lost.number not in again:
            kept = {k: v for k, v in lost.user_attrs.items() if k == "own"}
            study.enqueue_trial(lost.params, user_attrs=kept | {"retries": lost.number})
            again.add(lost.number)
    waiting = any(t.state == TrialState.WAITING for t in study.get_trials(deepcopy=False))
    if not waiting and sum(not is_lost(t) for t in trials) >= search.trials:
        return None
    trial = study.ask()
    held.enter_context(lock(_lock(search, trial.number), wait=math.inf))
    return trial


def _fail_unborn(study: "Study") -> None:
    """Ends trials whose worker died before it had drawn anything: nobody holds them, and they give no sign of life."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        began = trial.datetime_start
        if not trial.params and began and time.time() - began.timestamp() > GRACE:
            with contextlib.suppress(Exception):  # another machine was quicker
                study.tell(trial.number, state=TrialState.FAIL)

"""fit_jobs: the only function that fits folds; cv, tune, ablate, compare and curve all use it."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from kit.core.errors import Unfinished
from kit.core.machine import machine_fault
from kit.core.threads import use_threads
from kit.run.check import check_runs
from kit.run.events import FoldEnded, FoldStarted, OnEvent, PrepareEnded, PrepareStarted, ignore
from kit.run.execute import check_executor, execute
from kit.run.fold import fit_fold
from kit.run.job import Job
from kit.run.outcome import Outcome, error_text, failed
from kit.run.run import Run

__all__ = ["Job", "fit_jobs", "jobs_of", "raise_failures", "unfinished"]


def jobs_of(
    run: Run, members: str | Sequence[str] | None = None, folds: Sequence[int] | None = None, label: str = ""
) -> list[Job]:
    """The jobs of these members and folds (all by default), in the order of the recipe.

    Raises:
        KitError: a member or a fold does not exist.
    """
    names = run.recipe.chosen(members if members is None or isinstance(members, str) else list(members))
    numbers = run.chosen_folds(None if folds is None else list(folds))
    return [Job(run, name, fold, label) for name in names for fold in numbers]


def unfinished(jobs: Iterable[Job]) -> list[Job]:
    """The jobs whose fold is not in the bank. A fold with damaged files counts as unfinished."""
    return [job for job in jobs if job.read() is None]


def fit_jobs(jobs: Iterable[Job], on: str = "inline", on_event: OnEvent = ignore) -> dict[Job, Outcome]:
    """Fits what is not in the bank. A fold that fails writes its error.txt and does not stop the others.

    Every member prepares once, before its folds. Jobs with the same settings, rows and fold are fitted once.

    Args:
        jobs: of one or several runs, with any settings.
        on: the executor, see `kit.run.execute`.
        on_event: called in this process with each event of `kit.run.events`.

    Returns:
        The outcome of every job, in the order of `jobs`.

    Raises:
        KitError: there is no such executor, its processes cannot open one of the runs, a member cannot read the task,
            or the metric cannot score it.
        MachineFault: for example, the disk is full; what is finished is kept.
    """
    check_executor(on)
    wanted = list(dict.fromkeys(jobs))
    if on != "inline":
        for run in {id(job.run): job.run for job in wanted}.values():
            run.check_can_travel(on)
    if wanted:
        use_threads(wanted[0].run.threads)
    outcomes: dict[Job, Outcome] = {}
    same: dict[tuple[Path, int], list[Job]] = {}
    for job in wanted:
        same.setdefault(_place(job), []).append(job)

    def end(job: Job, outcome: Outcome) -> None:
        for twin in same[_place(job)]:
            outcomes[twin] = outcome
            on_event(_ended(twin, outcome))

    found = [job.read() is not None for job, *_ in same.values()]
    missing = [job for (job, *_), there in zip(same.values(), found, strict=True) if not there]
    check_runs(missing)
    for (job, *_), there in zip(same.values(), found, strict=True):
        if there:
            end(job, Outcome("kept"))
    for job in (ready := _prepared(missing, on_event, end)):
        job.run.keep_plan()
    # `closing`: Ctrl-C ends the workers at any moment
    with closing(execute(ready, fit_job, on, lambda job: on_event(FoldStarted(job)))) as results:
        for job, outcome in results:
            if isinstance(outcome, BaseException) and (fault := machine_fault(outcome)) is not None:
                raise fault
            end(job, _noted(job, outcome) if isinstance(outcome, BaseException) else outcome)
    return {job: outcomes[job] for job in wanted}


def fit_job(job: Job) -> Outcome:
    """Fits the fold of one job; it may run in any process."""
    use_threads(job.run.threads)
    return fit_fold(job.run, job.member, job.fold)


def raise_failures(outcomes: dict[Job, Outcome]) -> None:
    """Raises an Unfinished about the first job that is not finished, if there is one."""
    for job, outcome in outcomes.items():
        if not outcome.finished:
            raise Unfinished(f"{job}: {outcome.sentence}; what is finished is kept")


def _place(job: Job) -> tuple[Path, int]:
    return job.store.folder, job.fold


def _prepared(jobs: list[Job], on_event: OnEvent, end: Callable[[Job, Outcome], None]) -> list[Job]:
    """Lets each member prepare. Gives the jobs of the members without an error."""
    faults: dict[Path, Exception | None] = {}
    for job in jobs:
        if job.store.folder not in faults:
            faults[job.store.folder] = _prepare(job, on_event)
        if (fault := faults[job.store.folder]) is not None:
            end(job, _noted(job, fault))
    return [job for job in jobs if faults[job.store.folder] is None]


def _prepare(job: Job, on_event: OnEvent) -> Exception | None:
    began, fault = time.monotonic(), None
    on_event(PrepareStarted(job))
    try:
        member = job.run.recipe.members[job.member]
        member.prepare(job.run.table.test_rows)
    except Exception as error:
        if (stop := machine_fault(error)) is not None:
            raise stop from error
        fault = error
    on_event(PrepareEnded(job, time.monotonic() - began, failed(fault).sentence if fault else ""))
    return fault


def _noted(job: Job, error: BaseException) -> Outcome:
    """Writes error.txt for a fold whose process was killed or whose fit did not begin."""
    with job.store.work(job.fold) as part:
        if part is not None:
            job.store.fail(job.fold, error_text(error))
    return failed(error)


def _ended(job: Job, outcome: Outcome) -> FoldEnded:
    if not outcome.finished or (fold := job.read()) is None:
        return FoldEnded(job, outcome)
    score, seconds = fold.score, sum(fold.score["seconds"].values())
    return FoldEnded(job, outcome, score["score"], score["metric"], seconds, score.get("fault", ""))

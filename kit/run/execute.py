"""Executors: they run jobs in this process, in several processes, or on Ray, and give each outcome as it ends."""

import importlib.util
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import islice
from typing import TypeAlias, TypeVar

from kit.core.errors import KitError, nearest
from kit.core.processes import kill, worker_pool

KILLED = "its process was killed, perhaps because memory ran out; what is finished is kept"
J = TypeVar("J")
O = TypeVar("O")  # noqa: E741

NAMES = ["inline", "processes:2", "ray", "ray:ADDRESS"]


Outcomes: TypeAlias = Generator[tuple[J, O | BaseException], None, None]


def execute(
    jobs: Sequence[J], work: Callable[[J], O], on: str = "inline", on_start: Callable[[J], object] = lambda job: None
) -> Outcomes[J, O]:
    """Runs the jobs and gives (job, outcome) as each one ends. An exception in a job is its outcome; it is not raised.

    Args:
        jobs: the jobs; they must be picklable, except for `inline`.
        work: the function that does a job.
        on: the executor. `inline`: one job after another in this process. `processes:N`: N at once on this machine.
            `ray`: as many at once as fit on the cluster; `ray:ADDRESS` uses a cluster that runs, `ray` starts one for
            this machine alone, see `kit.run.ray_cluster`.
        on_start: called in this process with each job that begins. Jobs begin in order: first N of them, then one more
            when one ends. On Ray this is a guess from the size of the cluster.

    Raises:
        KitError: there is no such executor, or its package is missing.
    """
    check_executor(on)
    kind, _, rest = on.partition(":")
    if kind == "inline":
        return _inline(jobs, work, on_start)
    if kind == "processes":
        return _processes(jobs, work, int(rest or os.cpu_count() or 1), on_start)
    return _ray(jobs, work, rest, on_start)


def check_executor(on: str) -> None:
    """Raises a KitError if there is no such executor, or if its package is missing."""
    kind, _, rest = on.partition(":")
    known = {"inline": not rest, "processes": not rest or (rest.isdecimal() and int(rest) > 0), "ray": True}
    if not known.get(kind):
        raise KitError(f"on={on}: no such executor" + nearest(on, NAMES))
    if kind == "ray" and importlib.util.find_spec("ray") is None:
        raise KitError("on=ray needs the extra 'ray': pip install 'kit[ray]'")


def _inline(jobs: Sequence[J], work: Callable[[J], O], on_start: Callable[[J], object]) -> Outcomes[J, O]:
    for job in jobs:
        on_start(job)
        try:
            outcome: O | BaseException = work(job)
        except Exception as error:
            outcome = error
        yield job, outcome


def _processes(
    jobs: Sequence[J], work: Callable[[J], O], count: int, on_start: Callable[[J], object]
) -> Outcomes[J, O]:
    stopped = []
    with closing(_pool(jobs, work, count, on_start)) as ended:
        for job, outcome in ended:
            if isinstance(outcome, BrokenProcessPool) and len(jobs) > 1:
                stopped.append(job)
            else:
                yield job, _explained(outcome)
    # a worker that is killed stops the jobs of all others; now each runs alone, and one is at fault
    for job in stopped:
        for _, outcome in _pool([job], work, 1, on_start):
            yield job, _explained(outcome)


def _explained(outcome: O | BaseException) -> O | BaseException:
    """The outcome; a sentence in place of the error of a process pool that broke."""
    return KitError(KILLED) if isinstance(outcome, BrokenProcessPool) else outcome


def _begin(waiting: Iterator[J], room: int, on_start: Callable[[J], object]) -> None:
    """Reports that the next `room` jobs have begun."""
    for job in islice(waiting, room):
        on_start(job)


def _pool(jobs: Sequence[J], work: Callable[[J], O], count: int, on_start: Callable[[J], object]) -> Outcomes[J, O]:
    # Every worker has as many threads as an inline run, so the numbers are the same to the last bit: kit.core.threads.
    pool = worker_pool(min(count, max(1, len(jobs))))
    try:
        futures = {pool.submit(work, job): job for job in jobs}
        left, waiting = set(futures), iter(jobs)
        _begin(waiting, count, on_start)
        while left:
            ended, left = wait(left, return_when=FIRST_COMPLETED)
            for future in ended:
                yield futures[future], future.exception() or future.result()
                _begin(waiting, 1, on_start)
    except BaseException:  # Ctrl-C, or the caller stops; unfinished fits can be continued later
        kill(pool)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ray(jobs: Sequence[J], work: Callable[[J], O], address: str, on_start: Callable[[J], object]) -> Outcomes[J, O]:
    from kit.run.ray_cluster import cluster

    with cluster(address) as ray:
        there = ray.cluster_resources()
        gpus = 1 if there.get("GPU") else 0
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(work)
        futures = {remote.remote(job): job for job in jobs}
        left, waiting = list(futures), iter(jobs)
        _begin(waiting, int(there.get("GPU") or there.get("CPU") or 1), on_start)
        while left:
            (ended,), left = ray.wait(left, num_returns=1)
            try:
                outcome: O | BaseException = ray.get(ended)
            except Exception as error:
                outcome = error
            yield futures[ended], outcome
            _begin(waiting, 1, on_start)

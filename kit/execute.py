"""Where jobs run: here, in processes, on Ray. Each is shaped like map: jobs in, (job, outcome) out as they end."""

import importlib.util
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from typing import TypeAlias, TypeVar

from kit.processes import kill, worker_pool
from kit.spec import KitError, nearest

J = TypeVar("J")
O = TypeVar("O")  # noqa: E741

NAMES = ["inline", "processes:2", "ray", "ray:ADDRESS"]


Outcomes: TypeAlias = Generator[tuple[J, O | BaseException], None, None]


def execute(jobs: Sequence[J], work: Callable[[J], O], on: str = "inline") -> Outcomes[J, O]:
    """Does the jobs and gives each with its outcome as it ends; an exception in a job is its outcome, not raised.

    Args:
        jobs: picklable unless inline.
        work: what is done with each.
        on: `inline` in this process, one after another; `processes:N`, N at once on this machine; `ray`, as many at
            once as the cluster has room for (`ray:ADDRESS` for one that runs, else a local one is started).

    Raises:
        KitError: no executor is called that, or its package is missing.
    """
    check_executor(on)
    kind, _, rest = on.partition(":")
    if kind == "inline":
        return _inline(jobs, work)
    if kind == "processes":
        return _processes(jobs, work, int(rest or os.cpu_count() or 1))
    return _ray(jobs, work, rest)


def check_executor(on: str) -> None:
    """Refuses, with a KitError, an executor that there is not."""
    kind, _, rest = on.partition(":")
    known = {"inline": not rest, "processes": not rest or (rest.isdecimal() and int(rest) > 0), "ray": True}
    if not known.get(kind):
        raise KitError(f"on={on}: no such executor" + nearest(on, NAMES))
    if kind == "ray" and importlib.util.find_spec("ray") is None:
        raise KitError("on=ray needs the extra 'ray': pip install 'kit[ray]'")


def _inline(jobs: Sequence[J], work: Callable[[J], O]) -> Outcomes[J, O]:
    for job in jobs:
        try:
            outcome: O | BaseException = work(job)
        except Exception as error:
            outcome = error
        yield job, outcome


def _processes(jobs: Sequence[J], work: Callable[[J], O], count: int) -> Outcomes[J, O]:
    fallen = []
    with closing(_pool(jobs, work, count)) as ended:
        for job, outcome in ended:
            if isinstance(outcome, BrokenProcessPool) and len(jobs) > 1:
                fallen.append(job)
            else:
                yield job, outcome
    for job in fallen:  # a worker that dies takes the others' jobs with it; alone, a job shows whether it was the one
        yield from _pool([job], work, 1)


def _pool(jobs: Sequence[J], work: Callable[[J], O], count: int) -> Outcomes[J, O]:
    # Every worker has as many threads as an inline run would have, for the same bits; see kit.threads.
    pool = worker_pool(min(count, max(1, len(jobs))))
    try:
        futures = {pool.submit(work, job): job for job in jobs}
        left = set(futures)
        while left:
            ended, left = wait(left, return_when=FIRST_COMPLETED)
            for future in ended:
                yield futures[future], future.exception() or future.result()
    except BaseException:  # Ctrl-C, or the caller stopped listening: what is under way can be gone on with later
        kill(pool)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ray(jobs: Sequence[J], work: Callable[[J], O], address: str) -> Outcomes[J, O]:
    import ray

    mine = not ray.is_initialized()
    if mine:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        paths = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
        environment = {"env_vars": {"PYTHONPATH": paths}}
        ray.init(address=address or None, runtime_env=environment, log_to_driver=False, include_dashboard=False)
    try:
        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(work)
        futures = {remote.remote(job): job for job in jobs}
        left = list(futures)
        while left:
            (ended,), left = ray.wait(left, num_returns=1)
            try:
                outcome: O | BaseException = ray.get(ended)
            except Exception as error:
                outcome = error
            yield futures[ended], outcome
    finally:
        if mine:
            ray.shutdown()

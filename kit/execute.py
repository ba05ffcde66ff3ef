"""Where jobs run: here, in processes, on Ray. Each is shaped like map: jobs in, (job, outcome) out as they end."""

import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import TypeVar

from kit.spec import KitError, nearest

J = TypeVar("J")
O = TypeVar("O")  # noqa: E741

NAMES = ["inline", "processes:2", "ray", "ray:ADDRESS"]


def execute(jobs: Sequence[J], work: Callable[[J], O], on: str = "inline") -> Iterator[tuple[J, O | BaseException]]:
    """Does the jobs and gives each with its outcome as it ends; an exception in a job is its outcome, not raised.

    Args:
        jobs: picklable unless inline.
        work: what is done with each.
        on: `inline` in this process, one after another; `processes:N`, N at once on this machine; `ray`, as many at
            once as the cluster has room for (`ray:ADDRESS` for one that runs, else a local one is started).

    Raises:
        KitError: no executor is called that, or its package is missing.
    """
    kind, _, rest = on.partition(":")
    if kind == "inline" and not rest:
        return _inline(jobs, work)
    if kind == "processes" and (not rest or rest.isdigit() and int(rest) > 0):
        return _processes(jobs, work, int(rest or os.cpu_count() or 1))
    if kind == "ray":
        return _ray(jobs, work, rest)
    raise KitError(f"on={on}: no such executor" + nearest(on, NAMES))


def _inline(jobs: Sequence[J], work: Callable[[J], O]) -> Iterator[tuple[J, O | BaseException]]:
    for job in jobs:
        try:
            outcome: O | BaseException = work(job)
        except Exception as error:
            outcome = error
        yield job, outcome


def _quiet_worker() -> None:
    """Ctrl-C reaches every process of the terminal; workers leave it to the parent, which ends them."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _processes(jobs: Sequence[J], work: Callable[[J], O], count: int) -> Iterator[tuple[J, O | BaseException]]:
    # Every worker has the same number of threads as an inline run would have, for the same bits. They outnumber the
    # cores, so a thread that waits must sleep: spinning ones would keep the cores from those that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    context = multiprocessing.get_context("spawn")  # forking a process that has started threads may hang
    pool = ProcessPoolExecutor(min(count, max(1, len(jobs))), context, _quiet_worker)
    try:
        futures = {pool.submit(work, job): job for job in jobs}
        left = set(futures)
        while left:
            ended, left = wait(left, return_when=FIRST_COMPLETED)
            for future in ended:
                yield futures[future], future.exception() or future.result()
    except BaseException:  # Ctrl-C, or the caller stopped listening: what is under way can be gone on with later
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ray(jobs: Sequence[J], work: Callable[[J], O], address: str) -> Iterator[tuple[J, O | BaseException]]:
    if importlib.util.find_spec("ray") is None:
        raise KitError("on=ray needs the extra 'ray': pip install 'kit[ray]'")
    import ray

    mine = not ray.is_initialized()
    if mine:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        paths = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
        environment = {"env_vars": {"PYTHONPATH": paths, "OMP_WAIT_POLICY": "PASSIVE"}}
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

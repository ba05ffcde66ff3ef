"""Worker processes that end with their parent."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from kit.core.redact import RedactedStream, keep_secrets_of


def worker_pool(count: int, begin: Callable[..., None] | None = None, *given: Any) -> ProcessPoolExecutor:
    """A pool of `count` processes. They ignore Ctrl-C and a closed terminal: the parent handles both.

    Args:
        count: number of processes.
        begin: called once in each process, before its first job.
        given: arguments of `begin`.
    """
    # forking a process with running threads may hang
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _worker, (begin, *given))


def kill(pool: ProcessPoolExecutor) -> None:
    """Kills the pool's processes, even in the middle of a job."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def _worker(begin: Callable[..., None] | None, *given: Any) -> None:
    keep_secrets_of([])
    sys.stdout, sys.stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)  # type: ignore[assignment]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    if begin:
        begin(*given)


def _follow_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()  # this returns when the parent has ended or was killed
        os._exit(1)

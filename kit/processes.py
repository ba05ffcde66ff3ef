"""Worker processes that end with their parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def worker_pool(count: int, begin: Callable[..., None] | None = None, *given: Any) -> ProcessPoolExecutor:
    """A pool of `count` processes; Ctrl-C, which reaches all of a terminal's processes, is left to the parent.

    Args:
        begin: what each process does first.
        given: to `begin`, once a process: what all its jobs share.
    """
    # forking a process that has started threads may hang
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _worker, (begin, *given))


def kill(pool: ProcessPoolExecutor) -> None:
    """Ends the pool's processes in the middle of their work."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def _worker(begin: Callable[..., None] | None, *given: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    if begin:
        begin(*given)


def _follow_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()  # returns when the parent has ended, even by signal 9, which lets it tell nobody
        os._exit(1)

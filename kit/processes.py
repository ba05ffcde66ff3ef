"""Worker processes that end with their parent."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor


def worker_pool(count: int) -> ProcessPoolExecutor:
    """A pool of `count` processes; Ctrl-C, which reaches all of a terminal's processes, is left to the parent."""
    # forking a process that has started threads may hang
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _worker)


def kill(pool: ProcessPoolExecutor) -> None:
    """Ends the pool's processes in the middle of their work."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def _worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()  # returns when the parent has ended, even by signal 9, which lets it tell nobody
        os._exit(1)

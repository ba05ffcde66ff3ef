"""Batches that are made ahead of the step that needs them, by worker processes or threads.

What torch's `DataLoader` does with workers, for batches that a plan names in advance: workers live for a whole stage,
an error arrives as it was raised, and nothing is drawn from torch's generator.
"""

import contextlib
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch

from kit.core.errors import KitError
from kit.core.processes import kill, worker_pool
from kit.core.threads import threads
from kit.train.step_plan import Batches

WorkersNeeded = Literal["nothing", "threads", "processes"]
FEW = 4096  # rows that are left: for fewer, a process would take longer to start than it saves
AHEAD = 2  # batches in the making for each worker


class SlowBatches(Batches, Protocol):
    """Batches that say what it takes to make one, and can have the slow part of it done elsewhere.

    `batches[rows]` is `batches.batch(rows, batches.make(batches.job(rows)))`. Batches without these methods are made
    whole by the workers, and only where a number of workers is given.
    """

    @property
    def needs(self) -> WorkersNeeded:
        """nothing: a batch costs little; threads: its making lets go of Python's lock; processes: it is Python code."""

    @property
    def make(self) -> Callable[[Any], Any]:
        """The slow part: job → anything that `batch` takes. Pickled once for each worker process."""

    def job(self, rows: np.ndarray) -> Any:
        """What `make` has to know of a batch, picklable and small."""

    def batch(self, rows: np.ndarray, made: Any) -> dict[str, Any]:
        """The batch, finished."""


class Prefetched:
    """Batches in a known order; while one is used, the next ones are being made.

    A batch depends on its rows alone, so neither the number of workers nor their speed changes a number.

    Args:
        batches: gives the batches.
        order: rows of each batch, in the order in which they will be asked for; others are made when asked for.
        begin: begins to make a batch.
        finish: rows and what the worker made → the batch.
        ahead: number of batches in the making.
    """

    def __init__(
        self,
        batches: Batches,
        order: Sequence[np.ndarray],
        begin: Callable[[np.ndarray], "Future[Any]"],
        finish: Callable[[np.ndarray, Any], dict[str, Any]],
        ahead: int,
    ) -> None:
        self.batches, self.begin, self.finish, self.ahead = batches, begin, finish, ahead
        self._waiting = deque(order)
        self._begun: deque[tuple[np.ndarray, Future[Any]]] = deque()

    @property
    def changed(self) -> Any:
        """What changes rows in each epoch, if anything does."""
        return getattr(self.batches, "changed", None)

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.batches.plan(epoch)

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        self._begin_more()
        if self._begun and not np.array_equal(self._begun[0][0], rows):
            self._split_like(rows)
            self._begin_more()
        if not self._begun or not np.array_equal(self._begun[0][0], rows):
            return self.batches[rows]
        _, made = self._begun.popleft()
        self._begin_more()
        return self.finish(rows, made.result())

    def _begin_more(self) -> None:
        while self._waiting and len(self._begun) < self.ahead:
            rows = self._waiting.popleft()
            self._begun.append((rows, self.begin(rows)))

    def _split_like(self, rows: np.ndarray) -> None:
        """Where the next batch is asked for in parts, as memory cannot hold it, all later ones will be, too."""
        whole = self._begun[0][0]
        parts = next((p for p in range(2, len(whole) + 1) if np.array_equal(whole[::p], rows)), None)
        if parts is None:
            return
        for _, made in self._begun:
            made.cancel()
        later = [*(whole for whole, _ in self._begun), *self._waiting]
        self._begun.clear()
        self._waiting = deque(whole[i::parts] for whole in later for i in range(min(parts, len(whole))))


@contextlib.contextmanager
def prefetched(
    batches: Batches, order: Sequence[np.ndarray], device: torch.device, workers: int | None = None
) -> Iterator[Batches]:
    """Context in which batches are made ahead, where that gains something. Workers end with it.

    Args:
        batches: gives the batches; see `SlowBatches` for what it can say of itself.
        order: rows of each batch that will be asked for, in order.
        device: where the model is. A batch that costs little is made ahead for a GPU, by a thread; a CPU has nothing
            to wait for.
        workers: number of processes or threads, whichever the batches need. 0: batches are made when they are asked
            for. None: one less than there are threads for slow batches, unless few rows are left.

    Raises:
        KitError: a worker process died, or what makes the batches cannot be sent to one.
    """
    needs: WorkersNeeded | None = getattr(batches, "needs", None)
    slow: Any = batches
    make = slow.make if needs in ("threads", "processes") else batches.__getitem__
    count = _workers(needs, order, device, make) if workers is None else workers
    if not count or not len(order):
        yield batches
    elif needs == "nothing":  # it is there already, so nothing is sent to another process
        with _Threads(1) as pool:
            yield Prefetched(batches, order, lambda rows: pool.submit(batches.__getitem__, rows), _whole, AHEAD)
    else:
        job, finish = (_same, _whole) if needs is None else (slow.job, slow.batch)
        with _Threads(count) if needs == "threads" else _Processes(count, make) as pool:
            call = make if needs == "threads" else _make
            unpack = finish if needs == "threads" else lambda rows, made: finish(rows, pickle.loads(made))
            yield Prefetched(batches, order, lambda rows: pool.submit(call, job(rows)), unpack, AHEAD * count)


def _workers(
    needs: WorkersNeeded | None, order: Sequence[np.ndarray], device: torch.device, make: Callable[[Any], Any]
) -> int:
    """The number of workers where none is given."""
    if needs == "nothing":
        return int(device.type == "cuda")
    if needs == "threads" or (needs == "processes" and sum(map(len, order)) >= FEW and not _why_not_sent(make)):
        return max(1, threads() - 1)
    return 0


def _why_not_sent(make: Callable[[Any], Any]) -> str:
    """Why no other process could make batches, if that is so."""
    try:
        sent = pickle.dumps(make)
    except Exception as error:  # pickling raises as many kinds as there are objects
        return str(error)
    main = sys.modules["__main__"]
    if b"__main__" in sent and not hasattr(main, "__file__"):
        return "it uses what was defined in this notebook"
    return ""


class _Threads(ThreadPoolExecutor):
    """Threads that make no further batch once nobody asks for one."""

    def __exit__(self, *exception: Any) -> None:
        self.shutdown(wait=True, cancel_futures=True)


class _Processes:
    """Processes that make batches; they end at once where something went wrong."""

    def __init__(self, count: int, make: Callable[[Any], Any]) -> None:
        if why := _why_not_sent(make):
            raise KitError(
                f"workers = {count}: what makes the batches cannot be sent to other processes ({why}); take workers=0"
            )
        self.pool = worker_pool(count, _share, make)

    def submit(self, call: Callable[..., Any], *given: Any) -> "Future[Any]":
        return self.pool.submit(call, *given)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: Any) -> None:
        if kind is not None:
            kill(self.pool)
        self.pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is not None and issubclass(kind, BrokenProcessPool):
            raise KitError(
                "a process that makes batches died (out of memory? or is the script's own code not below "
                "`if __name__ == '__main__':`?); with workers=0 batches are made without processes"
            ) from None


_shared: Callable[[Any], Any] | None = None  # in a worker process: what makes its batches


def _share(make: Callable[[Any], Any]) -> None:
    global _shared
    _shared = make


def _make(job: Any) -> bytes:
    """What a job makes, as bytes: tensors would be passed in shared memory, of which containers have little."""
    assert _shared is not None
    return pickle.dumps(_shared(job), protocol=pickle.HIGHEST_PROTOCOL)


def _same(rows: np.ndarray) -> np.ndarray:
    return rows


def _whole(rows: np.ndarray, made: dict[str, Any]) -> dict[str, Any]:
    return made

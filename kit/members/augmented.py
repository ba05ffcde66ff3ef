"""Augmented rows: other versions of the texts of some rows in each epoch, read in worker processes."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Self

import numpy as np
import pandas as pd
from torch import Tensor

from kit.augment import Augment, augmented
from kit.data import Rows, Source, Task
from kit.members.reading import Reader
from kit.processes import worker_pool
from kit.threads import threads
from kit.train.lengths import Inputs, stacked

BLOCK = 256  # rows read together by a worker
FEW = 1024  # fewer rows an epoch are read where they are needed: a process would start for longer than it saves
CHOICE = int.from_bytes(b"choice")  # a stream of random numbers of its own


class AugmentedRows:
    """The changed rows of `kit.train.lengths.LengthBatches`.

    What a row becomes depends on seed, epoch and row alone, so neither the number of workers nor a restart matters.
    Used as a context, it ends its workers.

    Args:
        reader: reads the changed texts as it reads others.
        rows: the train rows.
        augment: what is done to a text.
        share: rows changed in an epoch, the others stay as they are.
        seed: of choice and change.
    """

    def __init__(self, reader: Reader, rows: Rows, augment: Augment, share: float, seed: int) -> None:
        self.read = _Read(reader, rows.task, augment, seed)
        self.rows, self.share, self.seed = rows, share, seed
        self._orders: dict[int, np.ndarray] = {}
        self._epochs: dict[int, _Epoch] = {}
        self._workers: Executor | None = None

    def chosen(self, epoch: int) -> np.ndarray:
        """(n,) which rows are changed in an epoch."""
        return np.random.default_rng([CHOICE, self.seed, epoch]).random(len(self.rows)) < self.share

    def order(self, epoch: int, rows: np.ndarray) -> None:
        """Says in which order an epoch's rows will be asked for, so that they are read ahead."""
        self._orders[epoch] = rows[self.chosen(epoch)[rows]]

    def padded(self, epoch: int, rows: np.ndarray) -> dict[str, Tensor]:
        """The rows' tensors as they are in an epoch."""
        if epoch not in self._epochs:
            self._epochs = {e: known for e, known in self._epochs.items() if e > epoch}
            for later in (epoch, epoch + 1):  # the next epoch's are read while this one's are trained on
                if later not in self._epochs and later in self._orders:
                    self._epochs[later] = self._begun(later)
        return self._epochs[epoch].padded(rows)

    def _begun(self, epoch: int) -> "_Epoch":
        order = self._orders[epoch]
        blocks = [order[i : i + BLOCK] for i in range(0, len(order), BLOCK)]
        places = [self.rows.at[rows] for rows in blocks]
        jobs = [(epoch, at, self.rows.source.frame.iloc[at]) for at in places]
        if len(order) < FEW:
            return _Epoch(blocks, [_Now(self.read, job) for job in jobs])
        if self._workers is None:
            self._workers = worker_pool(max(1, threads() - 1), _begin, self.read)
        return _Epoch(blocks, [self._workers.submit(_read, *job) for job in jobs])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._workers:
            self._workers.shutdown(wait=True, cancel_futures=True)


class _Read:
    """What a worker does: changes texts and reads them."""

    def __init__(self, reader: Reader, task: Task, augment: Augment, seed: int) -> None:
        self.reader, self.task, self.augment, self.seed = reader, task, augment, seed

    def __call__(self, epoch: int, at: np.ndarray, frame: pd.DataFrame) -> Inputs:
        """The inputs of the rows at these places of the whole table, as they are in an epoch."""
        texts = {c: frame[c].astype(object).fillna("").astype(str).tolist() for c in self.task.text}
        changed = {
            c: augmented(texts[c], self.augment, self.seed, epoch, at.tolist(), column=i) for i, c in enumerate(texts)
        }
        source = Source(frame.assign(**changed))
        return self.reader.inputs(Rows(self.task, source, np.arange(len(frame))))


_shared: _Read | None = None  # in a worker process: what all its jobs share


def _begin(read: _Read) -> None:
    global _shared
    _shared = read


def _read(epoch: int, at: np.ndarray, frame: pd.DataFrame) -> Inputs:
    assert _shared is not None
    return _shared(epoch, at, frame)


class _Now:
    """A result that is computed when it is first asked for, in this process."""

    def __init__(self, call: Callable[..., Inputs], given: tuple[Any, ...]) -> None:
        self._call, self._given, self._found = call, given, list[Inputs]()

    def result(self) -> Inputs:
        if not self._found:
            self._found.append(self._call(*self._given))
        return self._found[0]


class _Epoch:
    """The blocks of an epoch and where each row lies in them."""

    def __init__(self, blocks: list[np.ndarray], inputs: "list[Future[Inputs]] | list[_Now]") -> None:
        self.inputs = inputs
        self.place = {int(row): (b, i) for b, rows in enumerate(blocks) for i, row in enumerate(rows)}

    def padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        block, at = np.array([self.place[int(row)] for row in rows]).T
        order = np.argsort(block, kind="stable")
        parts = [self.inputs[b].result().padded(at[order][block[order] == b]) for b in np.unique(block)]
        back = np.argsort(order, kind="stable")
        return {name: value[back] for name, value in stacked(parts).items()}

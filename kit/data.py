"""Task, Source and Rows: the facts of a competition and the rows that members see."""

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from kit.files import lock, remove, rename_whole, replacing
from kit.metrics import Metric
from kit.spec import KitError, Spec, digest, validator

Kind = Literal["binary", "multilabel", "multiclass", "regression"]
Arrays = dict[str, np.ndarray]
TELL = 30  # seconds between lines that say how far a long computation is
Named = Iterable[tuple[str, np.ndarray]]  # arrays that are made, written and let go one after another


class Task(Spec):
    """The facts of a competition, stated once.

    `inputs` are the columns members may read: text columns named in `text`, all others as they are typed.
    Empty `inputs` stands for every column of train that is neither id nor target.
    """

    name: str = Field(description="short name: the folder in competitions/, data/ and runs/")
    kind: Kind = Field(description="binary, multilabel, multiclass or regression")
    targets: tuple[str, ...] = Field(min_length=1, description="columns to predict")
    metric: Metric = Field(description="what the competition is judged by")
    id: str = Field("id", description="column that names a row")
    text: tuple[str, ...] = Field((), description="columns that hold text")
    inputs: tuple[str, ...] = Field((), description="columns members may read; empty: all but id and targets")
    aside: tuple[str, ...] = Field((), description="columns that folds read (group, time) and members do not see")
    classes: tuple[Any, ...] = Field((), description="the labels as files spell them; of a binary one: no, then yes")
    slug: str = Field("", description="the competition's name in its Kaggle address")

    @validator(mode="after")
    def _facts_agree(self) -> "Task":
        if self.kind in ("binary", "multiclass") and len(self.targets) != 1:
            raise ValueError(f"a {self.kind} task has one target, not {len(self.targets)}: {', '.join(self.targets)}")
        if twice := [t for i, t in enumerate(self.targets) if t in self.targets[:i]]:
            raise ValueError(f"target '{twice[0]}' is named twice")
        if self.kind == "multiclass" and len(set(self.classes)) < 2:
            raise ValueError("classes: a multiclass task names at least two of them")
        if self.kind in ("multilabel", "regression") and self.classes:
            raise ValueError(f"classes belong to a multiclass or a binary task, not to a {self.kind} one")
        if self.kind == "binary" and self.classes and not len(self.classes) == len(set(self.classes)) == 2:
            raise ValueError("classes: a binary task names two, the negative first, or none where labels are 0 and 1")
        if clash := set(self.targets) & {self.id, *self.inputs, *self.text, *self.aside}:
            raise ValueError(f"target '{sorted(clash)[0]}' is also an input, aside, or the id")
        if self.inputs and (lost := set(self.text) - set(self.inputs)):
            raise ValueError(f"text column '{sorted(lost)[0]}' is not among the inputs")
        if seen := set(self.aside) & {*self.inputs, *self.text}:
            raise ValueError(f"column '{sorted(seen)[0]}' is aside, which members do not see, and also an input")
        return self

    @property
    def outputs(self) -> int:
        """Columns of a prediction: one per target, or one per class of a multiclass task."""
        return len(self.classes) if self.kind == "multiclass" else len(self.targets)


class Source:
    """Every row that is known, train rows then test rows, without any label.

    Args:
        frame: the input columns, one row each.
        folder: where what is computed once is kept, in a folder named by the data's digest; None keeps it in memory.
        name: digest of the data; None computes it from the frame.
    """

    def __init__(self, frame: pd.DataFrame, folder: Path | None = None, name: str | None = None) -> None:
        self.frame = frame.reset_index(drop=True)
        self.folder = folder
        self._name = name
        self._memory: dict[str, Arrays] = {}

    @cached_property
    def digest(self) -> str:
        """Changes with any value of the frame."""
        if self._name:
            return self._name
        hashes = pd.util.hash_pandas_object(self.frame, index=False).to_numpy()
        return digest([list(self.frame.columns), hashes.tobytes().hex()])

    def once(self, name: str, compute: Callable[[pd.DataFrame], Arrays]) -> Arrays:
        """What `compute` makes of all rows, made once for all folds, members and processes.

        Only what reads no labels belongs here. The arrays are memory-mapped and read-only.

        Args:
            name: changes with everything the result depends on besides the rows (settings, code version).
            compute: frame of all rows → named arrays.
        """
        return self._made(name, lambda: compute(self.frame).items())

    def blocks(
        self,
        name: str,
        compute: Callable[[pd.DataFrame], Arrays],
        gather: Callable[[Iterable[Arrays]], Named] | None = None,
        size: int = 1000,
        processes: int = 1,
    ) -> Arrays:
        """As `once`, for what takes long: a killed run finds the blocks of rows that it had finished.

        Args:
            name: as for `once`.
            compute: frame of a block of rows → named arrays; picklable where there are several processes.
            gather: the blocks in order, to be gone through as often as need be → the named arrays that are kept in
                their place; by default the blocks' arrays one after another.
            size: rows of a block; at most so many are lost a process.
            processes: computing at once; a single block is computed in this one.

        Raises:
            KitError: a process died.
        """

        folder = self.folder / self.digest[:16] / f"{name}.blocks" if self.folder else None
        arrays = self._made(name, lambda: (gather or joined)(self._blocks(name, compute, size, processes, folder)))
        if folder:
            remove(folder)
        return arrays

    def _blocks(
        self, name: str, compute: Callable[[pd.DataFrame], Arrays], size: int, processes: int, folder: Path | None
    ) -> Iterable[Arrays]:
        starts = range(0, max(len(self.frame), 1), size)
        paths = {i: folder / f"{i}-{i + size}.npz" for i in starts} if folder else {}
        missing = {i: self.frame.iloc[i : i + size] for i in starts if not (paths and paths[i].exists())}
        made = {}
        begun = told = time.monotonic()
        with closing(_each(compute, missing, processes)) as ended:
            for count, (i, arrays) in enumerate(ended, 1):
                if paths:
                    with replacing(paths[i]) as temporary, open(temporary, "wb") as file:
                        np.savez(file, **arrays)  # type: ignore[arg-type]
                else:
                    made[i] = arrays
                if (now := time.monotonic()) - told > TELL:
                    told, minutes = now, (now - begun) / count * (len(missing) - count) / 60
                    print(f"{name}: {count} of {len(missing)} blocks, {minutes:.0f} minutes left", file=sys.stderr)
        return _Files(list(paths.values())) if paths else [made[i] for i in starts]

    def _made(self, name: str, make: Callable[[], Named]) -> Arrays:
        if name not in self._memory:
            arrays = self._kept(name, make) if self.folder else dict(make())
            for array in arrays.values():
                array.setflags(write=False)
            self._memory[name] = arrays
        return self._memory[name]

    def _kept(self, name: str, make: Callable[[], Named]) -> Arrays:
        assert self.folder is not None
        folder = self.folder / self.digest[:16] / name
        if not folder.exists():
            with lock(folder.with_name(name + ".lock"), wait=math.inf):
                if not folder.exists():  # another process may have made it while this one waited
                    part = folder.with_name(name + ".part")
                    remove(part)  # what a killed process left
                    part.mkdir(parents=True)
                    for key, array in make():
                        np.save(part / f"{key}.npy", array, allow_pickle=False)
                    rename_whole(part, folder)
        return {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}


@dataclass(frozen=True)
class _Files:
    """Arrays of block after block, read one at a time."""

    paths: list[Path]

    def __iter__(self) -> Iterator[Arrays]:
        for path in self.paths:
            with np.load(path, allow_pickle=False) as arrays:
                yield dict(arrays)


def joined(blocks: Iterable[Arrays]) -> Named:
    """The blocks' arrays one after another."""
    for key in next(iter(blocks)):
        yield key, np.concatenate([arrays[key] for arrays in blocks])


def _each(
    compute: Callable[[pd.DataFrame], Arrays], frames: dict[int, pd.DataFrame], processes: int
) -> Generator[tuple[int, Arrays], None, None]:
    """What `compute` makes of each frame, in the order in which it is done."""
    count = min(processes, len(frames))
    if count < 2:
        yield from ((i, compute(frame)) for i, frame in frames.items())
        return
    # forking a process that has started threads may hang
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _worker)
    try:
        futures = {pool.submit(compute, frame): i for i, frame in frames.items()}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    except BrokenProcessPool:
        raise KitError(
            "a process that computed ahead died (for want of memory? or is the script's own code not below "
            "`if __name__ == '__main__':`?); what was finished is kept"
        ) from None
    except BaseException:  # Ctrl-C, an error in a block: what is under way is computed again
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _worker() -> None:
    """Ctrl-C reaches every process of the terminal; workers leave it to the parent, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@dataclass(frozen=True)
class Rows:
    """Some rows of a source in a given order: all that a member sees.

    Attributes:
        task: the competition's facts.
        source: every row known, for what is computed once.
        at: (n,) positions of these rows in the source.
        y: (n, targets) float labels, class indices (n, 1) where the task names classes, or None where unknown.
    """

    task: Task
    source: Source
    at: np.ndarray
    y: np.ndarray | None = None

    @classmethod
    def of(cls, task: Task, frame: pd.DataFrame, y: np.ndarray | None = None) -> "Rows":
        """Rows from a plain frame, for a notebook or a kernel; nothing is kept on disk."""
        hidden = {task.id, *task.targets, *task.aside}
        names = list(task.inputs) or [c for c in frame.columns if c not in hidden]
        if missing := [name for name in names if name not in frame.columns]:
            raise KitError(f"frame: column '{missing[0]}' is missing; it has: {', '.join(map(str, frame.columns))}")
        labels = None if y is None else np.asarray(y, dtype=np.float64).reshape(len(frame), -1)
        return cls(task, Source(frame[names]), np.arange(len(frame)), labels)

    def __len__(self) -> int:
        return len(self.at)

    @property
    def frame(self) -> pd.DataFrame:
        """The input columns of these rows, a copy."""
        return self.source.frame.iloc[self.at].reset_index(drop=True)

    @property
    def labels(self) -> np.ndarray:
        """`y`, for code that cannot do without it."""
        if self.y is None:
            raise KitError("these rows have no labels: fit needs rows of the train file")
        return self.y

    def texts(self) -> list[str]:
        """One string a row, see `join_text`."""
        return join_text(self.source.frame.iloc[self.at], self.task.text)

    def take(self, order: np.ndarray | Sequence[int]) -> "Rows":
        """The rows at these positions among these rows."""
        order = np.asarray(order)
        return replace(self, at=self.at[order], y=None if self.y is None else self.y[order])


def join_text(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """One string a row of `frame`: its text columns joined by a blank line, missing ones empty."""
    if not columns:
        raise KitError("the task names no text column; set Task.text to the columns that hold text")
    parts = [frame[name].astype(object).fillna("").astype(str).tolist() for name in columns]
    return parts[0] if len(parts) == 1 else ["\n\n".join(p for p in row if p) for row in zip(*parts, strict=True)]

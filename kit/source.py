"""Source: every row that is known, and what is computed of all of them once."""

import math
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from kit.errors import KitError
from kit.files import lock, remove, rename_whole, replacing
from kit.processes import kill, worker_pool
from kit.spec import digest

Arrays = dict[str, np.ndarray]
TELL = 30  # seconds between lines that say how far a long computation is
Named = Iterable[tuple[str, np.ndarray]]  # arrays that are made, written and let go one after another


class Source:
    """Every row that is known, train rows then test rows, without any label.

    Args:
        frame: the input columns, one row each.
        folder: where what is computed once is kept, in a folder named by the data's digest; None keeps it in memory.
        name: digest of the data; None computes it from the frame.
        originals: how many rows, the first ones, are rows; the others are views of them, in which nothing is to be
            counted a second time. None: all.
    """

    def __init__(
        self, frame: pd.DataFrame, folder: Path | None = None, name: str | None = None, originals: int | None = None
    ) -> None:
        self.frame = frame.reset_index(drop=True)
        self.folder = folder
        self.originals = len(frame) if originals is None else originals
        self._name = name
        self._memory: dict[str, Arrays] = {}

    @cached_property
    def digest(self) -> str:
        """Changes with any value of the frame."""
        if self._name:
            return self._name
        hashes = pd.util.hash_pandas_object(self.frame, index=False).to_numpy()
        views = [self.originals] if self.originals < len(self.frame) else []
        return digest([list(self.frame.columns), hashes.tobytes().hex(), *views])

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
    pool = worker_pool(count)
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
        kill(pool)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

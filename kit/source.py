"""Source: all known rows, and the results that are computed once for all of them."""

import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.files import lock, remove, replacing
from kit.core.folders import finish_folder, is_whole
from kit.core.machine import writing
from kit.core.processes import kill, worker_pool
from kit.core.spec import digest
from kit.core.sums import remade, verify
from kit.schema.fingerprint import fingerprint
from kit.schema.schema import Schema

Arrays = dict[str, np.ndarray]
PROGRESS_EVERY = 30  # seconds between progress lines of a long computation
Named = Iterable[tuple[str, "np.ndarray | InParts"]]  # arrays that are made, written and released one after another


class RowFiles(ABC):
    """Files that cells of a source name, such as pictures. Pickled, it is names of places, never what they hold."""

    @abstractmethod
    def read(self, cell: Any) -> bytes:
        """What a cell names."""

    @abstractmethod
    def digest(self, cells: Iterable[Any]) -> str:
        """Changes with any byte of what the cells of a column name."""


class RelatedTables(ABC):
    """Tables beside the rows of a source, such as the earlier loans of each client. Pickled, they are read again."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Changes with any byte of the tables, and with any key by which rows find theirs."""

    @abstractmethod
    def take(self, at: np.ndarray) -> "RelatedTables":
        """The same tables for the rows at these positions."""


class Source:
    """All rows without labels: train, test, then extra rows; and what is computed once from them.

    Args:
        frame: the input columns, one row each.
        folder: cache of what is computed once, in a folder named by the data's digest; None keeps it in memory.
        name: digest of the data; None computes it from the frame.
        originals: how many of the first rows are original; the others are views of them, which must not be counted
            again. None: all.
        schema: what the columns are, by which new rows are read as these were; None where nobody decided it.
        files: what cells of pictures name; None where there are none.
        original: the source that these rows are views of; None: they are views of none.
        looks: of views, how pictures are shown in each block of as many rows as `original` has; None: plainly.
        extra: how many of the original rows, the last of them, are neither train nor test rows.
        sides: related tables, by name, with the keys of these rows; None where there are none.
    """

    def __init__(
        self, frame: pd.DataFrame, folder: Path | None = None, name: str | None = None, originals: int | None = None,
        schema: Schema | None = None, files: RowFiles | None = None, original: "Source | None" = None,
        looks: tuple[Any, ...] = (), extra: int = 0, sides: RelatedTables | None = None,
    ) -> None:  # fmt: skip
        self.frame = frame.reset_index(drop=True)
        self._original, self.looks = original, looks
        self.views: dict[str, Source] = {}  # of these rows, by what they are made with, see `kit.tta`
        self.folder = folder
        self.originals = len(frame) if originals is None else originals
        self.schema, self.files, self.extra, self.sides = schema, files, extra, sides
        self._name = name
        self._memory: dict[str, Arrays] = {}

    @property
    def original(self) -> "Source":
        """The source that these rows are views of; of others, this one."""
        return self._original or self

    @cached_property
    def digest(self) -> str:
        """Changes with any value of the frame, with any byte of the pictures that it names and of side tables."""
        if self._name:
            return self._name
        views = [self.originals, *map(repr, self.looks)] if self.originals < len(self.frame) else []
        views += [f"extra {self.extra}"] if self.extra else []
        pictures = self.schema.of_type("image", self.frame) if self.schema and self.files else []
        files = [self.files.digest(self.frame[name]) for name in pictures if self.files]
        files += [f"sides {self.sides.digest}"] if self.sides else []
        return digest([list(self.frame.columns), *(fingerprint(self.frame[c]) for c in self.frame), *views, *files])

    def once(self, name: str, compute: Callable[[pd.DataFrame], Arrays]) -> Arrays:
        """The result of `compute` on all rows, computed once for all folds, members and processes.

        Only for what reads no labels. The arrays are memory-mapped and read-only.

        Args:
            name: changes with everything that the result depends on, except the rows (settings, code version).
            compute: frame of all rows → named arrays.
        """
        return self._made(name, lambda: compute(self.frame).items())

    def has(self, name: str) -> bool:
        """Whether the result of this name is there already."""
        return name in self._memory or bool(self.folder and (self.folder / self.digest[:16] / name).is_dir())

    def blocks(
        self,
        name: str,
        compute: Callable[[pd.DataFrame], Arrays],
        gather: Callable[[Iterable[Arrays]], Named] | None = None,
        size: int = 1000,
        processes: int = 1,
    ) -> Arrays:
        """As `once`, for long computations: after a kill, finished blocks of rows are not computed again.

        Args:
            name: as for `once`.
            compute: frame of a block of rows → named arrays; picklable where there are several processes.
            gather: the blocks in order, which can be iterated several times → the named arrays to keep; by default the
                blocks' arrays one after another.
            size: rows of a block; a kill loses at most so many rows for each process.
            processes: number of worker processes; a single block is computed in this process.

        Raises:
            KitError: a process died.
        """

        make = gather or (lambda blocks: in_parts(blocks).items())
        folder = self.folder / self.digest[:16] / f"{name}.blocks" if self.folder else None
        arrays = self._made(name, lambda: make(self._blocks(name, compute, size, processes, folder)))
        if folder:
            remove(folder)
        return arrays

    def learnt(self, name: str, learn: Callable[[Path | None], Arrays]) -> Arrays:
        """As `once`, for a training that a kill must not lose.

        Args:
            name: as for `once`.
            learn: folder where its state may lie, until the result is there (None: nothing is kept) → named arrays.
        """
        work = self.folder / self.digest[:16] / f"{name}.work" if self.folder else None
        arrays = self._made(name, lambda: learn(work).items())
        if work:
            remove(work)
        return arrays

    def _blocks(
        self, name: str, compute: Callable[[pd.DataFrame], Arrays], size: int, processes: int, folder: Path | None
    ) -> Iterable[Arrays]:
        starts = range(0, max(len(self.frame), 1), size)
        paths = {i: folder / f"{i}-{i + size}.npz" for i in starts} if folder else {}
        missing = {i: self.frame.iloc[i : i + size] for i in starts if not (paths and _is_intact(paths[i]))}
        made = {}
        begun = printed = time.monotonic()
        with closing(_each(compute, missing, processes)) as ended:
            for count, (i, arrays) in enumerate(ended, 1):
                if paths:
                    with replacing(paths[i], with_sum=True) as temporary, open(temporary, "wb") as file:
                        np.savez(file, **arrays)  # type: ignore[arg-type]
                else:
                    made[i] = arrays
                if (now := time.monotonic()) - printed > PROGRESS_EVERY:
                    printed, minutes = now, (now - begun) / count * (len(missing) - count) / 60
                    print(f"{name}: {count} of {len(missing)} blocks, {minutes:.0f} minutes left", file=sys.stderr)
        return _Files(list(paths.values())) if paths else [made[i] for i in starts]

    def _made(self, name: str, make: Callable[[], Named]) -> Arrays:
        if name not in self._memory:
            arrays = self._kept(name, make) if self.folder else {k: _whole(array) for k, array in make()}
            for array in arrays.values():
                array.setflags(write=False)
            self._memory[name] = arrays
        return self._memory[name]

    def _kept(self, name: str, make: Callable[[], Named]) -> Arrays:
        assert self.folder is not None
        folder = self.folder / self.digest[:16] / name
        if not is_whole(folder):
            with lock(folder.with_name(name + ".lock"), wait=math.inf):
                if not is_whole(folder):  # another process may have made it while this one waited
                    part = folder.with_name(name + ".part")
                    remove(part)  # what a killed process left
                    with writing(folder):
                        part.mkdir(parents=True)
                        if folder.exists():
                            remade(folder)
                            remove(folder.rename(part / "damaged"))
                    for key, array in make():
                        with writing(folder):
                            _save(part / f"{key}.npy", array)
                    finish_folder(part, folder)
        return {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}


def _whole(array: "np.ndarray | InParts") -> np.ndarray:
    return array.array() if isinstance(array, InParts) else array


def _save(path: Path, array: "np.ndarray | InParts") -> None:
    if isinstance(array, InParts):
        array.save(path)
    else:
        np.save(path, array, allow_pickle=False)


def _is_intact(path: Path) -> bool:
    """Whether a block is there; a damaged one is removed, and its rows are computed again."""
    try:
        return path.exists() and verify(path)
    except ValueError:
        remade(path)
        path.unlink()
        return False


@dataclass(frozen=True)
class _Files:
    """Arrays of the blocks, read one block at a time."""

    paths: list[Path]

    def __iter__(self) -> Iterator[Arrays]:
        for path in self.paths:
            with np.load(path, allow_pickle=False) as arrays:
                yield dict(arrays)

    def of(self, key: str) -> Iterator[np.ndarray]:
        """One array of each block."""
        for path in self.paths:
            with np.load(path, allow_pickle=False) as arrays:
                yield arrays[key]


@dataclass(frozen=True)
class InParts:
    """One array of all blocks, written part by part: no more than a block is in memory.

    Attributes:
        blocks: in order; can be iterated several times.
        key: which of their arrays.
    """

    blocks: Iterable[Arrays]
    key: str

    def array(self) -> np.ndarray:
        """All parts in memory."""
        return np.concatenate([*self._parts()])

    def _parts(self) -> Iterator[np.ndarray]:
        if isinstance(self.blocks, _Files):
            return self.blocks.of(self.key)
        return (arrays[self.key] for arrays in self.blocks)

    def save(self, path: Path) -> None:
        """Writes it in numpy's own format, as `np.save` writes the whole array."""
        kinds = [(part.shape, part.dtype) for part in self._parts()]
        shape = (sum(shape[0] for shape, _ in kinds), *kinds[0][0][1:])
        dtype = np.result_type(*{dtype for _, dtype in kinds})
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for part in self._parts():
                file.write(np.ascontiguousarray(part, dtype=dtype).tobytes())


def in_parts(blocks: Iterable[Arrays]) -> dict[str, InParts]:
    """The blocks' arrays by name, one after another."""
    return {key: InParts(blocks, key) for key in next(iter(blocks))}


def _each(
    compute: Callable[[pd.DataFrame], Arrays], frames: dict[int, pd.DataFrame], processes: int
) -> Generator[tuple[int, Arrays], None, None]:
    """The result of `compute` for each frame, in the order in which they end."""
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
            "a worker process died (out of memory? or is the script's own code not below "
            "`if __name__ == '__main__':`?); what was finished is kept"
        ) from None
    except BaseException:  # Ctrl-C or an error in a block: unfinished blocks are computed again next time
        kill(pool)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

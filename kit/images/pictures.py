"""PictureArray: all pictures of a column in one array of one size, made once for all folds, members and processes."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError, nearest
from kit.core.spec import digest
from kit.core.threads import threads
from kit.images.decode import PictureFault, decode, jpeg_decoder
from kit.images.resize import Resize
from kit.images.store import PictureFiles
from kit.schema.pictures import several
from kit.source import Arrays, Named, RowFiles, Source, in_parts

VERSION = 1  # of decoding and resizing: what another one has made is not used
BLOCK = 500  # rows whose pictures a kill loses at most
GB = 1e9


@dataclass(frozen=True)
class PictureArray:
    """Pictures of a column, of all rows of a source.

    Attributes:
        pixels: (m, size, size, 3) uint8 RGB, a memory-mapped file where the source has a folder; where that would be
            larger than the bound of disk or memory, `StreamedPixels`, which is indexed alike.
        start: (n + 1,) int64: the pictures of row i are start[i]:start[i + 1], one at least.
        ok: (m,) bool: False where a picture could not be read, or a cell is empty; its pixels are 0.
    """

    pixels: "np.ndarray | StreamedPixels"
    start: np.ndarray
    ok: np.ndarray

    def __len__(self) -> int:
        return len(self.ok)

    def __reduce__(self) -> tuple[Any, ...]:
        """It pickles as the name of the file that the pixels lie in, where they lie in one."""
        file = getattr(self.pixels, "filename", None)
        return _opened, (self.pixels if file is None else str(file), np.asarray(self.start), np.asarray(self.ok))

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Positions of all pictures of these rows, row after row."""
        counts = self.start[rows + 1] - self.start[rows]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(self.start[rows], counts) + within


def _opened(pixels: Any, start: np.ndarray, ok: np.ndarray) -> PictureArray:
    return PictureArray(np.load(pixels, mmap_mode="r") if isinstance(pixels, str) else pixels, start, ok)


def pictures(source: Source, column: str, resize: Resize = Resize()) -> PictureArray:
    """The pictures of a column, of all rows of a source. Finished blocks survive a kill.

    Args:
        source: its `files` say where named pictures lie.
        column: holds names or bytes, or several of them in a tuple.
        resize: what size they are given, and how.

    Raises:
        KitError: there is no such column.
    """
    if column not in source.frame.columns:
        raise KitError(f"no column is called '{column}'" + nearest(column, list(map(str, source.frame.columns))))
    name = "pictures-" + digest([column, resize.identity(), VERSION, jpeg_decoder()])[:16]
    files = source.files or PictureFiles()
    count = sum(len(several(cell)) for cell in source.frame[column])
    if (said := too_large(count * resize.size**2 * 3, source.folder)) and not source.has(name):
        what = f"{count:,} pictures of {resize.size} pixels"
        print(f"kit: {what} would take {said}; they are decoded again each time", file=sys.stderr)
        return streamed_pictures(source, column, resize)
    compute = partial(_block, files=files, column=column, resize=resize, count=threads())
    arrays = source.blocks(name, compute, gather=_gathered, size=BLOCK)
    return PictureArray(arrays["pixels"], arrays["start"], arrays["ok"])


def streamed_pictures(source: Source, column: str, resize: Resize = Resize()) -> PictureArray:
    """As `pictures`, but nothing is made ahead or kept: each access decodes, which is best for a few of many rows.

    Args:
        source: as of `pictures`.
        column: likewise.
        resize: likewise.
    """
    files = source.files or PictureFiles()
    cells = [several(cell) for cell in source.frame[column]]
    flat = [one for row in cells for one in row]
    ok = np.array([not facts.fault for facts in files.facts(flat)]) if isinstance(files, PictureFiles) else None
    start = np.cumsum([0, *map(len, cells)])
    return PictureArray(
        StreamedPixels(files, flat, resize), start, np.ones(len(flat), dtype=bool) if ok is None else ok
    )


def _gathered(blocks: Iterable[Arrays]) -> Named:
    for key, parts in in_parts(blocks).items():
        if key == "count":
            yield "start", np.concatenate([[0], np.cumsum(parts.array())]).astype(np.int64)
        else:
            yield key, parts


class StreamedPixels:
    """Pixels that no file holds: each access decodes the pictures again. It pickles as the names of the pictures.

    Args:
        files: where named pictures lie.
        cells: name or bytes of each picture.
        resize: the size that they are given.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, files: RowFiles, cells: Sequence[Any], resize: Resize) -> None:
        self.files, self.cells, self.resize = files, cells, resize
        self.shape = (len(cells), resize.size, resize.size, 3)

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, at: Any) -> np.ndarray:
        """Pixels of some pictures by position, slice or array, or of parts of them, as an array of all would give."""
        if isinstance(at, tuple):
            first, *parts = at
            return self[first][(slice(None),) * np.ndim(np.arange(len(self.cells))[first]) + tuple(parts)]
        places = np.arange(len(self.cells))[at]
        pixels, _ = decoded(self.files, [self.cells[i] for i in np.atleast_1d(places).ravel()], self.resize, threads())
        return pixels.reshape(*np.shape(places), *self.shape[1:])


def too_large(size: int, folder: Path | None) -> str:
    """Why an array of so many bytes is not kept, ending in a sentence; "" where it may be.

    On disk its blocks and the whole lie side by side for a while, and a tenth of what is free is left; in memory it may
    take half of what is free.

    Args:
        size: bytes of the array.
        folder: where it would lie; None: in memory.
    """
    if folder is None:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
        return f"{size / GB:.1f} GB, and {free / GB:.1f} GB of memory are free" if size > free // 2 else ""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    return f"{size / GB:.1f} GB, and {free / GB:.1f} GB are free in {there}" if 2 * size > 0.9 * free else ""


def _block(frame: pd.DataFrame, files: RowFiles, column: str, resize: Resize, count: int) -> Arrays:
    cells = [several(cell) for cell in frame[column]]
    pixels, ok = decoded(files, [one for row in cells for one in row], resize, count)
    return {"pixels": pixels, "ok": ok, "count": np.array([len(row) for row in cells], dtype=np.int64)}


def decoded(files: RowFiles, cells: Sequence[Any], resize: Resize, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, size, size, 3) uint8 of pictures, 0 where one cannot be read, and (n,) bool whether it can.

    Args:
        files: where named pictures lie.
        cells: name or bytes of each.
        resize: the size that they are given.
        count: of threads.
    """
    pixels = np.zeros((len(cells), resize.size, resize.size, 3), dtype=np.uint8)
    ok = np.zeros(len(cells), dtype=bool)

    def fill(i: int) -> None:
        made = one_picture(files, cells[i], resize)
        if made is not None:
            pixels[i], ok[i] = made, True

    with ThreadPoolExecutor(count) as pool:  # decoders and filters let other threads run
        list(pool.map(fill, range(len(cells))))
    return pixels, ok


def one_picture(files: RowFiles, cell: Any, resize: Resize) -> np.ndarray | None:
    """One picture (size, size, 3) uint8; None where it cannot be read.

    Args:
        files: where named pictures lie.
        cell: its name or bytes.
        resize: the size that it is given.
    """
    try:
        return resize.apply(decode(files.read(cell), (resize.size, resize.size)))
    except PictureFault:
        return None

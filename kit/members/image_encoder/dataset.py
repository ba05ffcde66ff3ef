"""PictureDataset: rows as the pixels of their pictures, of the size that a network reads."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from kit.augment.base import Changes
from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.memory import release_pages
from kit.images import PictureArray, Resize, pictures, streamed_pictures
from kit.images.look import Look, resized
from kit.members.network.dataset import Dataset
from kit.members.network.reader import Change, Reader
from kit.rows import Rows
from kit.schema.pictures import several


class PictureDataset(Dataset):
    """Rows as pixels.

    Args:
        config: of the network that reads them, see `kit.members.image_encoder.backbone`; it is saved with the rest.
        resize: the size that pictures are given once, and how.
        side: pixels of height and width that the network is shown, the centre of that, or another part.
        limit: largest number of pictures of a row; of more, as many are taken, evenly spread.
        several: whether rows have several pictures; else each has one.
        weights: folder of the network's weights; None: it has none.
    """

    def __init__(
        self, config: dict[str, Any], resize: Resize, side: int, limit: int, several: bool, weights: Path | None = None
    ) -> None:
        self.config, self.resize, self.side = config, resize, side
        self.limit, self.several, self.weights = limit, several, weights
        self.streams = False  # whether pictures are decoded when they are asked for, and not all of them ahead

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The dataset that `save` wrote."""
        saved = read_json(folder / "pictures.json")
        return cls(saved["config"], Resize.from_dict(saved["resize"]), saved["side"], saved["limit"], saved["several"])

    def save(self, folder: Path) -> None:
        facts = {"side": self.side, "limit": self.limit, "several": self.several, "resize": self.resize.to_dict()}
        write_json(folder / "pictures.json", facts | {"config": self.config})

    def at_size(self, size: int) -> "PictureDataset":
        cached = self.resize.model_copy(update={"size": round(self.resize.size * size / self.side)})
        sized = PictureDataset(self.config, cached, size, self.limit, self.several, self.weights)
        sized.streams = self.streams
        return sized

    def inputs(self, rows: Rows) -> "PictureInputs":
        source = rows.source.original
        made = streamed_pictures if self.streams else pictures
        columns = tuple(made(source, column, self.resize) for column in rows.task.images)
        found = PictureInputs(columns, self.side, self.limit, self.several, rows.source.looks)
        if not self.several and (found.count > 1).any():
            row = int(np.flatnonzero(found.count > 1)[0])
            raise KitError(
                f"{found.count[row]} pictures in row {row}: this member was fitted on rows of one picture each"
            )
        return found

    @property
    def augments(self) -> tuple[Changes, ...]:
        return ("pictures",)

    def reader(self, rows: Rows, changes: Changes) -> "PictureReader":
        return PictureReader(self.inputs(rows))


def have_several(rows: Rows) -> bool:
    """Whether any row of the source has several pictures."""
    columns = rows.task.images
    return len(columns) > 1 or any(len(several(cell)) > 1 for name in columns for cell in rows.source.frame[name])


@dataclass(frozen=True)
class PictureInputs:
    """Pixels of all rows known.

    Attributes:
        columns: the pictures of each column; a row's pictures are those of the first column, then of the next.
        side: pixels of height and width that are shown.
        limit: largest number of pictures of a row.
        several: whether a row has a list of pictures, else it has one.
        looks: where rows are views of others: how each block of rows is shown; None: plain.
    """

    columns: tuple[PictureArray, ...]
    side: int
    limit: int
    several: bool
    looks: tuple[Look | None, ...] = ()

    @cached_property
    def count(self) -> np.ndarray:
        """(rows without views,) pictures of each row."""
        return np.sum([np.diff(column.start) for column in self.columns], axis=0)

    @cached_property
    def _good(self) -> np.ndarray:
        """(rows without views,) pictures of each row that could be read."""
        return np.sum([np.add.reduceat(c.ok.astype(np.int64), c.start[:-1]) for c in self.columns], axis=0)

    @cached_property
    def length(self) -> np.ndarray:
        """(n,) pictures of each row that are shown: those that could be read; one of a row without any."""
        shown = np.where(self._good > 0, np.minimum(self._good, self.limit), 1)
        return np.tile(shown, max(1, len(self.looks)))

    @cached_property
    def readable(self) -> np.ndarray:
        """(n,) whether any picture of a row could be read; the pixels of others are 0."""
        return np.tile(self._good > 0, max(1, len(self.looks)))

    def key(self, row: int) -> bytes:
        """Equal for the same pictures in the same look; equal pictures of two rows have keys of their own."""
        return int(row).to_bytes(8, "big")

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """`pixels` (len(rows), 3, side, side) uint8; of several a row (len(rows), most, 3, side, side), and `there`."""
        block, own = np.divmod(np.asarray(rows), len(self.count))
        row, column, at = self._places(own)
        shown = np.empty((len(at), self.side, self.side, 3), dtype=np.uint8)
        look_of = np.array([0 if look is None else i for i, look in enumerate(self.looks)] or [0])[block][row]
        for look in np.unique(look_of):
            for number, array in enumerate(self.columns):
                mine = np.flatnonzero((look_of == look) & (column == number))
                plain = self.looks[look] if self.looks else None
                shown[mine] = (plain or Look()).show(self._cut(array, at[mine], plain), self.side)
        self._release()
        return self.batch(row, shown, len(rows))

    def originals(self, rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """The row of each picture of these rows, by its place among them, and the picture, whole and without a look."""
        row, column, at = self._places(np.asarray(rows) % len(self.count))
        whole = [np.array(self.columns[c].pixels[i]) for c, i in zip(column, at, strict=True)]
        self._release()
        return row, whole

    def batch(self, row: np.ndarray, shown: np.ndarray, n: int) -> dict[str, torch.Tensor]:
        """Pictures (m, side, side, 3) and the row of each → the tensors of n rows.

        In memory pixels lie as they do in pictures, channels last, which convolutions are fastest with.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(shown)).permute(0, 3, 1, 2)
        if not self.several:
            return {"pixels": pixels}
        counts = np.bincount(row, minlength=n)
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        held = torch.zeros(n, int(counts.max()), *pixels.shape[1:], dtype=torch.uint8)
        there = torch.zeros(held.shape[:2], dtype=torch.int64)
        at = torch.from_numpy(row), torch.from_numpy(place)
        held[at], there[at] = pixels, 1
        return {"pixels": held, "there": there}

    def _release(self) -> None:
        """However many pictures were read, no more than a batch of them is in memory."""
        for column in self.columns:
            release_pages(column.pixels)

    def _places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every picture that is shown of these rows: its row among them, its column, its place in the column."""
        found: list[tuple[int, int, int]] = []
        for number, row in enumerate(rows.tolist()):
            own = [
                (number, c, i)
                for c, a in enumerate(self.columns)
                for i in range(int(a.start[row]), int(a.start[row + 1]))
            ]
            if self._good[row] < len(own):  # what cannot be read says nothing; a row without any has one of pixels 0
                own = [one for one in own if self.columns[one[1]].ok[one[2]]] or own[:1]
            if len(own) > self.limit:
                own = [own[i] for i in np.linspace(0, len(own) - 1, self.limit).round().astype(int)]
            found += own
        row, column, at = np.array(found, dtype=np.int64).reshape(-1, 3).T
        return row, column, at

    def _cut(self, array: PictureArray, at: np.ndarray, look: Look | None) -> np.ndarray:
        """Pictures of a column; only their centre where nothing else is shown."""
        if look is not None:
            return np.asarray(array.pixels[at])
        begin = (array.pixels.shape[1] - self.side) // 2
        end = begin + self.side
        return (
            np.stack([array.pixels[i, begin:end, begin:end] for i in at]) if len(at) else array.pixels[:0, :end, :end]
        )


class PictureReader(Reader):
    """Reads changed pictures. It pickles as the names of the files that pixels lie in."""

    def __init__(self, inputs: PictureInputs) -> None:
        self.given = inputs

    def job(self, at: np.ndarray) -> np.ndarray:
        return at

    def read(self, job: np.ndarray, change: Change) -> dict[str, torch.Tensor]:
        if change.kind != "pictures":
            return self.given.padded(job)
        row, whole = self.given.originals(job)
        counts = np.bincount(row, minlength=len(job))
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        changed: list[Any] = [None] * len(whole)
        for number in np.unique(place):  # the first pictures of all rows, then the second ones
            mine = np.flatnonzero(place == number)
            made = change([whole[i] for i in mine], row[mine], int(number))
            for i, picture in zip(mine, made, strict=True):
                changed[i] = picture
        return self.given.batch(
            row, np.stack([self._shown(p, w, change.crops) for p, w in zip(changed, whole, strict=True)]), len(job)
        )

    def _shown(self, picture: np.ndarray, whole: np.ndarray, crops: bool) -> np.ndarray:
        """What the network sees: the whole of a cropped picture, else the centre, as for validation rows."""
        side = self.given.side
        if crops or picture.shape != whole.shape:
            return resized(picture[None], side)[0]
        return Look().show(picture[None], side)[0]

"""Dataset: turns rows into the tensors that a network reads."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kit.augment.base import Changes
from kit.core.errors import KitError
from kit.members.network.reader import CellReader, PlainReader, Reader
from kit.rows import Rows

if TYPE_CHECKING:
    from kit.train.lengths import Inputs


class Dataset(ABC):
    """Turns rows into a network's inputs.

    It takes plain arguments, never the settings of a member, and is picklable, so that worker processes can read rows.
    """

    @abstractmethod
    def inputs(self, rows: Rows) -> "Inputs":
        """Inputs of all rows of `rows.source`, computed once. `rows.at` are positions in them."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes everything that `load_dataset` of the member needs to make an equal dataset."""

    @property
    def augments(self) -> tuple[Changes, ...]:
        """What augments can change in its rows."""
        return ("texts",)

    def reader(self, rows: Rows, changes: Changes) -> Reader:
        """What reads rows in which an augment has changed texts or pictures."""
        return CellReader(self, rows) if changes == "texts" else PlainReader(self.inputs(rows))

    def at_size(self, size: int) -> Self:
        """The dataset that shows pictures in another size, for stages of progressive resizing.

        Args:
            size: pixels of height and width.

        Raises:
            KitError: it reads no pictures.
        """
        raise KitError(f"Stage.size = {size}: it is the size of pictures, and this member reads none; leave it out")

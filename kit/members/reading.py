"""Reader: what stands between rows and a network."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from torch import nn

from kit.data import Rows
from kit.train.lengths import Inputs


class Reader(ABC):
    """Turns rows into a network's inputs, and knows the body that reads these inputs.

    It is picklable, so that worker processes can read augmented rows.
    """

    @abstractmethod
    def inputs(self, rows: Rows) -> Inputs:
        """Inputs of every row of `rows.source`, made once."""

    @abstractmethod
    def body(self) -> Any:
        """The body before its first step, see `kit.models.Headed`; draws from torch's generator."""

    @abstractmethod
    def blank(self) -> Any:
        """A body of the same shape, for weights from a file."""

    @abstractmethod
    def save(self, folder: Path, body: nn.Module) -> None:
        """Writes all that reading and `blank` need, but no weights."""

"""Perceptron: a small network of numeric and categorical columns, alone or as a part of Concat."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from kit.data import Rows, Task
from kit.features.base import Features, TextStatistics
from kit.members.network import Network
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.reading import Reader


class Perceptron(Network):
    """Layers of ReLU on standardised columns, on statistics of the text, and on vectors of categories."""

    hidden: tuple[int, ...] = Field((128,), min_length=1, description="widths of the layers")
    text: bool = Field(True, description="statistics of the text columns as inputs")
    features: tuple[Features, ...] = Field((), description="further features, of rows without labels")
    category_width: int = Field(8, ge=1, description="width of the vector of a category")
    batch_tokens: int = Field(
        4096, ge=64, description="rows a batch at most where batch_rows allows more, as a row counts one"
    )
    batch_rows: int = Field(512, ge=1, description="rows a batch at most")
    stage: Stage = Field(Stage(epochs=10, lr=2e-3, precision="fp32"), description="how it learns")

    def described(self, task: Task) -> tuple[Features, ...]:
        """All features beside the plain columns."""
        return (*([TextStatistics()] if self.text and task.text else []), *self.features)

    def prepare(self, rows: Rows) -> None:
        for features in self.described(rows.task):
            features.of(rows)

    def reader(self, rows: Rows) -> "Reader":
        from kit.members.perceptron_reader import ColumnReader

        return ColumnReader.learnt(self, rows)

    def saved_reader(self, folder: Path) -> "Reader":
        from kit.members.perceptron_reader import ColumnReader

        return ColumnReader.saved(self, folder)

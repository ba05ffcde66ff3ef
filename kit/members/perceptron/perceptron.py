"""Perceptron: a small network of numeric and categorical columns, alone or as a part of Concat."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kit.features.base import Features
from kit.members.network.network import Network
from kit.rows import Rows
from kit.task import Task
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.perceptron.dataset import ColumnDataset


class Perceptron(Network):
    """A multilayer perceptron on standardised numbers, statistics of the text, and embeddings of categories."""

    version = 2

    hidden: tuple[int, ...] = Field((128,), min_length=1, description="widths of the layers")
    text: bool = Field(True, description="statistics of the text columns as inputs")
    features: tuple[Features, ...] = Field((), description="more features")
    category_width: int = Field(8, ge=1, description="width of the vector of a category")
    batch_tokens: int = Field(
        4096, ge=64, description="also a limit on the rows of a batch: each row counts as one token"
    )
    batch_rows: int = Field(512, ge=1, description="largest number of rows in a batch")
    stage: Stage = Field(
        Stage(epochs=10, min_steps=200, lr=2e-3, precision="fp32"), description="epochs, learning rates, techniques"
    )

    @property
    def prepares(self) -> str:
        return "features"

    def prepare(self, rows: Rows) -> None:
        from kit.members.perceptron.dataset import described

        for features in described(rows.task, self.text, self.features):
            features.prepare(rows)

    def reads(self, task: Task) -> bool:
        return task.has_columns or bool(self.features) or (self.text and bool(task.text))

    def make_dataset(self, rows: Rows) -> "ColumnDataset":
        from kit.members.perceptron.dataset import ColumnDataset

        return ColumnDataset.fit(self.text, self.features, rows)

    def load_dataset(self, folder: Path) -> "ColumnDataset":
        from kit.members.perceptron.dataset import ColumnDataset

        return ColumnDataset.load(folder)

    def make_body(self, dataset: "ColumnDataset", rows: Rows | None = None) -> Any:
        from kit.models import perceptron

        return perceptron.PerceptronModule(
            dataset.numbers, dataset.categories, self.hidden, self.category_width, self.dropout
        )

"""TabularNetwork: the settings that all networks of a table's columns share."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from kit.features.base import Features
from kit.member import Predictor
from kit.members.network.network import Network
from kit.members.tabular.numbers import NumberEmbedding
from kit.rows import Rows
from kit.tables.scalers import QuantileScaling, Scaler
from kit.task import Task
from kit.train.optimizers import AdamW
from kit.train.schedule import Constant
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.tabular.dataset import ColumnDataset
    from kit.train.stop import ShouldStop

BATCH_ROWS = ((3_000, 64), (12_000, 128), (50_000, 256), (200_000, 512))  # up to so many train rows, such batches
MOST_BATCH_ROWS = 1024


class TabularNetwork(Network):
    """A network of numeric and categorical columns.

    Numbers are scaled by the train rows of the fold. A category has a vector of its own, or is one-hot; one that the
    train rows do not have counts as missing. A missing number has a learnt vector where numbers are embedded; else it
    is 0 beside an indicator.
    """

    numbers: NumberEmbedding | None = Field(None, description="how numbers become vectors; none: they are not embedded")
    scaling: Scaler = Field(QuantileScaling(), description="how numbers are scaled")
    text: bool = Field(True, description="statistics of the text columns as inputs")
    features: tuple[Features, ...] = Field((), description="more features")
    category_width: int = Field(8, ge=1, description="width of the vector of a category")
    one_hot: int = Field(0, ge=0, description="columns with at most so many categories are one-hot, without vectors")
    batch_tokens: int = Field(
        100_000, ge=64, description="also a limit on the rows of a batch: each row counts as one token"
    )
    batch_rows: int = Field(
        0, ge=0, description="largest number of rows in a batch; 0: by the train rows, from 64 to 1024"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="share of the features of each layer dropped in training")
    stop: Literal["none", "valid", "inner"] = Field(
        "inner",
        description="epoch that is kept: the last; the best on the validation fold; the best on some train rows",
    )
    stop_by: Literal["metric", "loss"] = Field(
        "loss", description="what scores epochs: the task's metric, or log loss (root mean squared error of values)"
    )
    patience: int | None = Field(16, ge=1, description="epochs without a better score that end a stage; none: all")
    stage: Stage = Field(
        Stage(
            epochs=100,
            max_steps=20_000,
            lr=1e-3,
            weight_decay=3e-4,
            optimizer=AdamW(),
            schedule=Constant(),
            warmup=0.0,
            precision="fp32",
        ),
        description="epochs, learning rates, techniques",
    )

    @property
    def prepares(self) -> str:
        return "features"

    def prepare(self, rows: Rows) -> None:
        from kit.members.tabular.dataset import described

        for features in described(rows.task, self.text, self.features):
            features.prepare(rows)

    def reads(self, task: Task) -> bool:
        return task.has_columns or bool(self.features) or (self.text and bool(task.text))

    def learn_until(self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None") -> Predictor:
        if self.batch_rows:
            return super().learn_until(train, valid, work, should_stop)
        count = next((batch for rows, batch in BATCH_ROWS if len(train) <= rows), MOST_BATCH_ROWS)
        return self.model_copy(update={"batch_rows": count}).learn_until(train, valid, work, should_stop)

    def make_dataset(self, rows: Rows) -> "ColumnDataset":
        from kit.members.tabular.dataset import ColumnDataset

        return ColumnDataset.fit(self.text, self.features, rows, self.scaling, nan=True)

    def load_dataset(self, folder: Path) -> "ColumnDataset":
        from kit.members.tabular.dataset import ColumnDataset

        return ColumnDataset.load(folder)

    def make_body(self, dataset: "ColumnDataset", rows: Rows | None = None) -> Any:
        from kit.models import tabular

        columns = self.make_columns(dataset, rows)
        return tabular.TabularModule(columns, self.make_net(columns))

    def make_columns(self, dataset: "ColumnDataset", rows: Rows | None = None) -> Any:
        """What the network reads of the columns, as in `make_body`: one vector a row."""
        from kit.models import columns

        return columns.ColumnVector(
            dataset.numbers,
            dataset.categories,
            self.embedding(self.numbers, dataset, rows),
            self.category_width,
            self.one_hot,
            dataset.gaps,
        )

    @staticmethod
    def embedding(numbers: NumberEmbedding | None, dataset: "ColumnDataset", rows: Rows | None) -> Any:
        """The embedding of the dataset's numbers; None if they are not embedded."""
        if numbers is None or not dataset.numbers:
            return None
        scaled: np.ndarray | None = None if rows is None else dataset.inputs(rows).arrays["numbers"][rows.at]
        return numbers.build(dataset.numbers, scaled)

    @abstractmethod
    def make_net(self, columns: Any) -> Any:
        """The network on what `make_columns` gives, see `kit.models.TabularModule`."""

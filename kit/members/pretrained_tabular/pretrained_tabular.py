"""PretrainedTabular: the encoder of an autoencoder of tables, trained further with labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kit.members.network.network import Network
from kit.pretrain.autoencoders import DAE, TableAutoencoder
from kit.rows import Rows
from kit.task import Task
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.pretrained_tabular.dataset import CellDataset


class PretrainedTabular(Network):
    """A network of numbers and categories that begins as the encoder of an autoencoder (Erhan et al. 2010).

    The autoencoder learns once from all rows, before the folds. Its layers are those of the network: freeze them with
    `stage.only_head`, or let lower ones learn slower with `stage.layer_decay`.
    """

    start: TableAutoencoder = Field(DAE(), description="the autoencoder whose encoder it begins as")
    batch_tokens: int = Field(4096, ge=64, description="also a limit on the rows of a batch: each counts as one token")
    batch_rows: int = Field(256, ge=1, description="largest number of rows in a batch")
    stage: Stage = Field(
        Stage(epochs=10, min_steps=200, lr=5e-4, head_lr=2e-3, precision="fp32"),
        description="epochs, rates, techniques",
    )

    @property
    def prepares(self) -> str:
        return "the autoencoder"

    def check(self, task: Task) -> None:
        super().check(task)
        self.start.check(task)

    def prepare(self, rows: Rows) -> None:
        self.start.learnt(rows)

    def reads(self, task: Task) -> bool:
        return task.has_columns or bool(self.start.features)

    def make_dataset(self, rows: Rows) -> "CellDataset":
        from kit.members.pretrained_tabular.dataset import CellDataset

        return CellDataset(self.start.learnt(rows))

    def load_dataset(self, folder: Path) -> "CellDataset":
        from kit.members.pretrained_tabular.dataset import CellDataset

        return CellDataset.load(folder)

    def make_body(self, dataset: "CellDataset", rows: Rows | None = None) -> Any:
        from kit.models.autoencoder import AutoencoderBody

        learnt = dataset.learnt
        made = self.start.blank_model if rows is None else self.start.trained_model
        return AutoencoderBody(made(learnt.arrays, learnt.empty))

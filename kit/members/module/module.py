"""Module: makes a member of your own torch network."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.features.base import Features
from kit.members.module.inputs import BuildInputs
from kit.members.network.network import TrainedMember
from kit.rows import Rows
from kit.task import Task
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.network.dataset import Dataset
    from kit.members.network.initial import InitialWeights

OF_A_HEAD = ("samples", "heads", "diversity", "spectral_norm", "language")  # settings of kit's own head or encoder


class Module(TrainedMember):
    """Any `nn.Module` as a member: `Module(build=my_network)`.

        def my_network(inputs):
            return nn.Sequential(nn.Linear(inputs.width, 64), nn.ReLU(), nn.Linear(64, inputs.outputs))

    `build` is given `BuildInputs` and returns a network of logits (n, outputs). A `forward` with one argument gets one
    tensor (n, inputs.width); `forward(numbers, categories)` gets numbers (n, k) and ids (n, c). The code of the
    function, and of all that it uses, is a part of the member's identity. Layers, rates and embeddings count if the
    network has the words of `kit.train.model`.
    """

    build: Callable[..., Any] = Field(description="a function: BuildInputs → nn.Module that gives logits (n, outputs)")
    dataset: Callable[..., Any] | None = Field(
        None, description="a Dataset class with fit(rows) and load(folder); none: numbers and categories"
    )
    text: bool = Field(True, description="statistics of the text columns as inputs")
    features: tuple[Features, ...] = Field((), description="more features")
    batch_tokens: int = Field(
        4096, ge=64, description="also a limit on the rows of a batch: each row counts as one token"
    )
    batch_rows: int = Field(512, ge=1, description="largest number of rows in a batch")
    stage: Stage = Field(Stage(epochs=10, lr=2e-3, precision="fp32"), description="epochs, learning rates, techniques")

    @validator(mode="after")
    def _check_own(self) -> Self:
        for name in OF_A_HEAD:
            if getattr(self.regularise, name) != type(self.regularise).model_fields[name].default:
                raise ValueError(
                    f"regularise.{name} changes the head that kit makes, but this network has a head of its own; "
                    "leave it out"
                )
        for name in ("fit", "load", "inputs", "save") if self.dataset is not None else ():
            if not hasattr(self.dataset, name):
                called = getattr(self.dataset, "__name__", "dataset")
                raise ValueError(f"dataset = {called} has no {name}; see kit.members.network.dataset")
        return self

    def prepare(self, rows: Rows) -> None:
        if self.dataset is not None:
            super().prepare(rows)
            return
        from kit.members.tabular.dataset import described

        for features in described(rows.task, self.text, self.features):
            features.prepare(rows)

    def reads(self, task: Task) -> bool:
        own = self.dataset is not None or bool(self.features)
        return own or task.has_columns or (self.text and bool(task.text))

    def make_dataset(self, rows: Rows) -> "Dataset":
        from kit.members.tabular.dataset import ColumnDataset

        own: Any = self.dataset
        return ColumnDataset.fit(self.text, self.features, rows) if own is None else own.fit(rows)

    def load_dataset(self, folder: Path) -> "Dataset":
        from kit.members.tabular.dataset import ColumnDataset

        own: Any = self.dataset
        return ColumnDataset.load(folder) if own is None else own.load(folder)

    def make_network(self, dataset: Any, outputs: int, kind: str, initial: "InitialWeights | None" = None) -> Any:
        from torch import nn

        from kit.layers.heads import LINKS
        from kit.models.own import OwnNetwork

        numbers, categories = getattr(dataset, "numbers", 0), tuple(getattr(dataset, "categories", ()))
        made = self.build(BuildInputs(outputs, kind, numbers, categories, dataset))
        if not isinstance(made, nn.Module):
            raise KitError(f"Module.build: {self.build.__name__} gives a {type(made).__name__}, not an nn.Module")
        if next(made.parameters(), None) is None:
            raise KitError(f"Module.build: the {type(made).__name__} of {self.build.__name__} has nothing to learn")
        return OwnNetwork(made, outputs, LINKS[kind], categories)

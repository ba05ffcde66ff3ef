"""Perceptron: the simplest network of numeric and categorical columns, alone or as a part of Concat."""

from typing import Any, Literal

from pydantic import Field

from kit.members.tabular.network import TabularNetwork
from kit.tables.scalers import RobustScaling, Scaler
from kit.train.stage import Stage


class Perceptron(TabularNetwork):
    """A multilayer perceptron on scaled numbers, statistics of the text, and embeddings of categories.

    With `numbers=PiecewiseLinear` or `numbers=Periodic` it is the MLP-PLR of Gorishniy et al. (2022).
    """

    version = 3

    hidden: tuple[int, ...] = Field((128,), min_length=1, description="widths of the layers")
    scaling: Scaler = Field(RobustScaling(), description="how numbers are scaled")
    batch_tokens: int = Field(
        4096, ge=64, description="also a limit on the rows of a batch: each row counts as one token"
    )
    batch_rows: int = Field(512, ge=0, description="largest number of rows in a batch; 0: by the train rows")
    stop: Literal["none", "valid", "inner"] = Field(
        "none",
        description="epoch that is kept: the last; the best on the validation fold; the best on some train rows",
    )
    patience: int | None = Field(None, ge=1, description="epochs without a better score that end a stage; none: all")
    stage: Stage = Field(
        Stage(epochs=10, min_steps=200, lr=2e-3, precision="fp32"), description="epochs, learning rates, techniques"
    )

    def make_net(self, columns: Any) -> Any:
        from kit.models import perceptron

        return perceptron.PerceptronModule(columns.width, self.hidden, self.dropout)

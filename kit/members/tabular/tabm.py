"""TabM: many perceptrons that share most of their weights."""

from typing import Any

from pydantic import Field

from kit.members.tabular.network import TabularNetwork
from kit.members.tabular.numbers import NumberEmbedding, PiecewiseLinear
from kit.train.schedule import Constant
from kit.train.stage import Stage


class TabM(TabularNetwork):
    """An ensemble of perceptrons in one network (Gorishniy, Kotelnikov & Babenko 2025).

    They share their matrices and differ in scales, biases and heads. They learn from the mean of their losses, and the
    prediction is the mean of theirs. Widths are smaller than in the paper (512), so that a fit on a CPU takes minutes.
    """

    members: int = Field(32, ge=1, description="number of perceptrons")
    width: int = Field(128, ge=1, description="width of the layers")
    blocks: int = Field(2, ge=1, description="number of layers")
    numbers: NumberEmbedding | None = Field(
        PiecewiseLinear(), description="how numbers become vectors; none: they are not embedded"
    )
    one_hot: int = Field(100, ge=0, description="columns with at most so many categories are one-hot, without vectors")
    stage: Stage = Field(
        Stage(
            epochs=100, max_steps=20_000, lr=2e-3, weight_decay=3e-4, schedule=Constant(), warmup=0.0, precision="fp32"
        ),
        description="epochs, learning rates, techniques",
    )

    def make_net(self, columns: Any) -> Any:
        from kit.models import tabm

        return tabm.TabMModule(
            columns.width, self.width, self.blocks, self.members, self.dropout, columns.chunks, self.numbers is None
        )

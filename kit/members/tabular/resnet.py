"""TabularResNet: a residual network of numeric and categorical columns."""

from typing import Any

from pydantic import Field

from kit.members.tabular.network import TabularNetwork


class TabularResNet(TabularNetwork):
    """Residual blocks with batch norm (Gorishniy et al. 2021)."""

    width: int = Field(128, ge=1, description="width of the blocks")
    blocks: int = Field(2, ge=1, description="number of blocks")
    hidden: int = Field(256, ge=1, description="width inside a block")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of the features inside each block dropped in training")
    residual_dropout: float = Field(0.0, ge=0, lt=1, description="share of what a block adds dropped in training")

    def make_net(self, columns: Any) -> Any:
        from kit.models import tabular_resnet

        return tabular_resnet.TabularResNetModule(
            columns.width, self.width, self.blocks, self.hidden, self.dropout, self.residual_dropout
        )

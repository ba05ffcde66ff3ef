"""FTTransformer: a Transformer whose tokens are the columns of a row."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.core.spec import validator
from kit.members.tabular.network import TabularNetwork
from kit.members.tabular.numbers import LinearNumbers, NumberEmbedding
from kit.rows import Rows
from kit.train.schedule import Constant
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.tabular.dataset import ColumnDataset


class FTTransformer(TabularNetwork):
    """Columns as tokens, and self-attention over them (Gorishniy et al. 2021).

    Numbers and categories have vectors of the tokens' width, so `category_width` and `one_hot` play no part. It is
    smaller than in the paper (3 layers of width 192): its time grows with rows times columns.
    """

    width: int = Field(64, ge=1, description="width of a token")
    layers: int = Field(2, ge=1, description="number of layers")
    heads: int = Field(8, ge=1, description="attention heads")
    hidden: int = Field(96, ge=1, description="width inside the feed-forward part")
    attention_dropout: float = Field(0.2, ge=0, lt=1, description="share of attention weights dropped in training")
    residual_dropout: float = Field(0.0, ge=0, lt=1, description="share of what each part adds dropped in training")
    numbers: NumberEmbedding | None = Field(
        None, description="how numbers become tokens, whose width is that of the network; none: LinearNumbers"
    )
    stage: Stage = Field(
        Stage(
            epochs=100, max_steps=20_000, lr=5e-4, weight_decay=1e-5, schedule=Constant(), warmup=0.0, precision="fp32"
        ),
        description="epochs, learning rates, techniques",
    )

    @validator(mode="after")
    def _check_tokens(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads} must divide width = {self.width}")
        if self.numbers is not None and self.numbers.width != self.width:
            raise ValueError(f"numbers.width = {self.numbers.width} must be the width of a token, {self.width}")
        for name in ("category_width", "one_hot"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect: a category is a token of width {self.width}; leave it out")
        return self

    def make_columns(self, dataset: "ColumnDataset", rows: Rows | None = None) -> Any:
        from kit.models import columns

        embedding = self.embedding(self.numbers or LinearNumbers(width=self.width), dataset, rows)
        return columns.ColumnTokens(dataset.numbers, dataset.categories, embedding, self.width)

    def make_net(self, columns: Any) -> Any:
        from kit.models import ft_transformer

        return ft_transformer.FTTransformerModule(
            self.width,
            self.layers,
            self.heads,
            self.hidden,
            self.attention_dropout,
            self.dropout,
            self.residual_dropout,
        )

"""TabularResNetModule: a residual network of a table (Gorishniy et al. 2021)."""

from torch import Tensor, nn
from torch.nn.functional import relu

from kit.layers.heads import RowNorm


class TabularResNetModule(nn.Module):
    """Linear, then blocks x + dropout(linear(dropout(ReLU(linear(norm(x)))))), then norm and ReLU (section 3.2).

    Args:
        inputs: width of a row's vector.
        width: of the blocks.
        blocks: number of them.
        hidden: width inside a block.
        dropout: share of a block's hidden features dropped.
        residual_dropout: share of what a block adds dropped.
    """

    levels = ("first", "blocks")

    def __init__(
        self, inputs: int, width: int, blocks: int, hidden: int, dropout: float = 0.0, residual_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                RowNorm(width),
                nn.Linear(width, hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, width),
                nn.Dropout(residual_dropout),
            )
            for _ in range(blocks)
        )
        self.norm = RowNorm(width)
        self.num_features = width

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) → features (n, width)."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return relu(self.norm(x))

"""DPCNN: a deep pyramid of convolutions; each level halves the length of the text (Johnson & Zhang 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.layers.pooling import MaxPool
from kit.models.levels import Levels


class DPCNNModule(nn.Module):
    """Region embedding → block → (pooling of stride 2 → block) × (blocks − 1) → maximum (Johnson & Zhang 2017).

    The number of blocks that a row passes depends on its own length, not on the batch: a row of n tokens passes
    1 + ⌈log2 n⌉ blocks (at most all of them). A row that has shrunk to one position is not changed any more. Padding is
    zero in convolutions and never the maximum. At the end, the maximum over the remaining positions is taken.

    Args:
        inputs: width of a token's vector.
        channels: number of feature maps, the same on every level.
        blocks: levels of the pyramid. With 7, as in the paper, texts of up to 64 tokens shrink to one position.
        dropout: share of features dropped in training.
    """

    hierarchical = False
    levels: Levels = ("region", "blocks")  # from the lowest

    def __init__(self, inputs: int, channels: int = 250, blocks: int = 7, dropout: float = 0.0) -> None:
        super().__init__()
        self.region = nn.Conv1d(inputs, channels, 3, padding=1)
        self.blocks = nn.ModuleList(DPCNNBlock(channels) for _ in range(blocks))
        self.pool = MaxPool(channels)
        self.dropout = nn.Dropout(dropout)
        self.num_features = channels

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, length, inputs), mask (n, length), 1 at tokens → features (n, num_features)."""
        kept = (mask != 0).unsqueeze(1)
        x = self.region(states.transpose(1, 2).masked_fill(~kept, 0)).masked_fill(~kept, 0)
        x = self.blocks[0](x, kept)
        for block in self.blocks[1:]:
            shrinks = kept.sum(2, keepdim=True) > 1
            x = F.max_pool1d(x.masked_fill(~kept, torch.finfo(x.dtype).min), 3, stride=2, padding=1)
            kept = kept[..., ::2]  # the middle of each pooling window
            x = x.masked_fill(~kept, 0)
            x = torch.where(shrinks, block(x, kept), x)
        return self.dropout(self.pool(x.transpose(1, 2), kept.squeeze(1)))


class DPCNNBlock(nn.Module):
    """Residual block with pre-activation (He et al. 2016): x + conv(ReLU(conv(ReLU(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        """x (n, channels, length), zero where kept (n, 1, length) is False → the same shape, also zero there."""
        y = x
        for convolution in self.convolutions:
            y = convolution(F.relu(y)).masked_fill(~kept, 0)
        return x + y

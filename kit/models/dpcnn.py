"""DPCNN: a pyramid of convolutions that halves the text again and again."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.layers.pooling import MaxPool


class DPCNN(nn.Module):
    """Region embedding → block → (pooling of stride 2 → block) × (blocks − 1) → maximum (Johnson & Zhang 2017).

    A row's depth follows its own length, not the batch's: padding counts as zero in convolutions and never wins a
    pooling, and a row that has shrunk to one position stays as it is while longer rows go on. A row of n tokens so
    passes 1 + ⌈log2 n⌉ blocks, or all there are; what is then left of it goes into the maximum.

    Args:
        inputs: width of a token's vector.
        channels: feature maps, the same on every level.
        blocks: levels of the pyramid; with 7, the paper's number, texts of up to 64 tokens shrink to one position.
        dropout: share of the features dropped in training.
    """

    hierarchical = False

    def __init__(self, inputs: int, channels: int = 250, blocks: int = 7, dropout: float = 0.0) -> None:
        super().__init__()
        self.region = nn.Conv1d(inputs, channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(blocks))
        self.pool = MaxPool(channels)
        self.dropout = nn.Dropout(dropout)
        self.width = channels

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, length, inputs), mask (n, length), 1 where a token stands → features (n, width)."""
        kept = (mask != 0).unsqueeze(1)
        x = self.region(states.transpose(1, 2).masked_fill(~kept, 0)).masked_fill(~kept, 0)
        x = self.blocks[0](x, kept)
        for block in self.blocks[1:]:
            shrinks = kept.sum(2, keepdim=True) > 1
            x = F.max_pool1d(x.masked_fill(~kept, torch.finfo(x.dtype).min), 3, stride=2, padding=1)
            kept = kept[..., ::2]  # a window's middle
            x = x.masked_fill(~kept, 0)
            x = torch.where(shrinks, block(x, kept), x)
        return self.dropout(self.pool(x.transpose(1, 2), kept.squeeze(1)))


class Block(nn.Module):
    """Two convolutions, each of what ReLU lets through, beside a shortcut (pre-activation, He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        """x (n, channels, length), zero where kept (n, 1, length) is False → the same."""
        y = x
        for convolution in self.convolutions:
            y = convolution(F.relu(y)).masked_fill(~kept, 0)
        return x + y

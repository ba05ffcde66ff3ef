"""TextCNN: filters of several widths, each one's largest answer anywhere in the text."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.layers.pooling import MaxPool


class TextCNN(nn.Module):
    """Convolutions of several widths → maximum over time → ReLU (Kim 2014).

    A filter is laid only where it fits whole; a text shorter than the filter gets one window, filled up with zeros.

    Args:
        inputs: width of a token's vector.
        filters: filters of each width.
        widths: tokens that a filter spans.
        dropout: share of the features dropped in training.
    """

    hierarchical = False

    def __init__(
        self, inputs: int, filters: int = 100, widths: Sequence[int] = (3, 4, 5), dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.convolutions = nn.ModuleList(nn.Conv1d(inputs, filters, width) for width in widths)
        self.pool = MaxPool(filters)
        self.dropout = nn.Dropout(dropout)
        self.width = filters * len(widths)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, length, inputs), mask (n, length), 1 where a token stands → features (n, width)."""
        kept = mask != 0
        missing = max(0, max(self.widths) - mask.shape[1])
        states = F.pad(states.masked_fill(~kept.unsqueeze(-1), 0).transpose(1, 2), (0, missing))
        kept = F.pad(kept, (0, missing))
        found = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            whole = kept[:, width - 1 :].clone()  # a window is within the text if its last token is
            whole[:, 0] = True
            found.append(self.pool(convolution(states).transpose(1, 2), whole))
        return self.dropout(F.relu(torch.cat(found, 1)))  # of the maxima: as good as before, and much less of it

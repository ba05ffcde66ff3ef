"""TextCNN: convolutions of several widths with maximum pooling (Kim 2014)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.layers.pooling import MaxPool


class TextCNNModule(nn.Module):
    """Convolutions of several widths → maximum over time → ReLU (Kim 2014).

    Filters see only windows that lie completely inside the text. A text shorter than a filter gets one window, padded
    with zeros.

    Args:
        inputs: width of a token's vector.
        filters: number of filters of each width.
        widths: widths of the filters, in tokens.
        dropout: share of features dropped in training.
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
        self.num_features = filters * len(widths)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, length, inputs), mask (n, length), 1 at tokens → features (n, num_features)."""
        kept = mask != 0
        missing = max(0, max(self.widths) - mask.shape[1])
        states = F.pad(states.masked_fill(~kept.unsqueeze(-1), 0).transpose(1, 2), (0, missing))
        kept = F.pad(kept, (0, missing))
        found = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            whole = kept[:, width - 1 :].clone()  # a window is within the text if its last token is
            whole[:, 0] = True
            found.append(self.pool(convolution(states).transpose(1, 2), whole))
        return self.dropout(F.relu(torch.cat(found, 1)))  # ReLU after the maximum: same result, less work

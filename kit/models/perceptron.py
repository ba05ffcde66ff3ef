"""PerceptronModule: a multilayer perceptron."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PerceptronModule(nn.Module):
    """Linear layers with ReLU.

    Args:
        inputs: width of a row's vector.
        hidden: widths of the layers.
        dropout: share of features dropped after each layer but the last one in training (the head drops those).
    """

    levels = ("layers",)

    def __init__(self, inputs: int, hidden: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip([inputs, *hidden], hidden, strict=False))
        self.dropout = nn.Dropout(dropout)
        self.num_features: int = hidden[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) → features (n, num_features)."""
        for i, layer in enumerate(self.layers):
            x = torch.relu(layer(x if i == 0 else self.dropout(x)))
        return x

"""A perceptron of several layers on numbers and categories."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Numbers and vectors of categories → layers of ReLU.

    Args:
        numbers: numeric columns.
        categories: values of each categorical column, 0 for what is missing counted.
        hidden: widths of the layers.
        width: of the vector of a category.
        dropout: share of each layer's features dropped in training, the last one's left to the head.
    """

    def __init__(
        self, numbers: int, categories: Sequence[int], hidden: Sequence[int], width: int = 8, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, width) for count in categories)
        widths = [numbers + width * len(categories), *hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, hidden, strict=False))
        self.embedding = nn.Identity()  # where perturbations shift the inputs
        self.dropout = nn.Dropout(dropout)
        self.width: int = hidden[-1]
        self.pretrained: list[nn.Module] = []
        self.features_are_fixed = True

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Numbers (n, numbers) and category ids (n, categorical columns) → features (n, width)."""
        vectors = [table(ids) for table, ids in zip(self.tables, categories.T, strict=True)]
        x = self.embedding(torch.cat([numbers, *vectors], dim=1))
        for i, layer in enumerate(self.layers):
            x = torch.relu(layer(x if i == 0 else self.dropout(x)))
        return x

    def depth(self, name: str) -> int:
        """All layers are of one height."""
        return 0

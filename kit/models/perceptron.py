"""PerceptronModule: a multilayer perceptron on numbers and categories."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kit.models.body import OneBody


class PerceptronModule(OneBody):
    """Numbers and embeddings of categories → linear layers with ReLU.

    Args:
        numbers: number of numeric columns.
        categories: number of values of each categorical column; the id 0 (missing) counts as one.
        hidden: widths of the layers.
        width: width of a category's vector.
        dropout: share of features dropped after each layer but the last one in training (the head drops those).
    """

    def __init__(
        self, numbers: int, categories: Sequence[int], hidden: Sequence[int], width: int = 8, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, width) for count in categories)
        widths = [numbers + width * len(categories), *hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, hidden, strict=False))
        self.embeddings = nn.Identity()  # perturbations shift its output
        self.dropout = nn.Dropout(dropout)
        self.num_features: int = hidden[-1]
        self.pretrained: list[nn.Module] = []
        self.features_are_fixed = True

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Numbers (n, numbers) and category ids (n, categorical columns) → features (n, num_features)."""
        vectors = [table(ids) for table, ids in zip(self.tables, categories.T, strict=True)]
        x = self.embeddings(torch.cat([numbers, *vectors], dim=1))
        for i, layer in enumerate(self.layers):
            x = torch.relu(layer(x if i == 0 else self.dropout(x)))
        return x

    def layer_of(self, name: str) -> int:
        """Always 0: all parameters count as one layer."""
        return 0

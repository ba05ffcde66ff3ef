"""TabMModule: many perceptrons that share most of their weights (Gorishniy, Kotelnikov & Babenko 2025)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kit.layers.heads import Link, SeparateHeads


class BatchEnsembleLinear(nn.Module):
    """A linear layer of several members: one matrix, and scales of its inputs and outputs for each member.

    BatchEnsemble (Wen, Tran & Ba 2020, equation 5): (x ∘ r) W ∘ s + b, with r, s and b of each member.

    Args:
        inputs: width of what each member reads.
        outputs: width of what each member gives.
        members: number of them.
    """

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(max(1, inputs))
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.r, self.s = nn.Parameter(torch.ones(members, inputs)), nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound).repeat(members, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, members, inputs) → (n, members, outputs)."""
        return torch.addcmul(self.bias, (x * self.r) @ self.weight.T, self.s)


class TabMModule(nn.Module):
    """Perceptrons that differ in scales and biases alone, and in their heads.

    Only the first scale is drawn at random, one number for all entries that belong to one column; all others begin at
    1 (section 3.3). The members learn from the mean of their losses, and the prediction is the mean of theirs.

    Args:
        inputs: width of a row's vector.
        width: of the layers.
        blocks: number of layers.
        members: number of perceptrons.
        dropout: share of features dropped after each layer but the last one in training (the head drops those).
        chunks: widths of the parts of a row's vector that belong to one column each; empty: each entry is one.
        signs: whether the first scales are drawn from -1 and 1, for numbers that are not embedded; else from a normal
            distribution.
    """

    levels = ("blocks",)

    def __init__(
        self,
        inputs: int,
        width: int,
        blocks: int,
        members: int,
        dropout: float = 0.0,
        chunks: Sequence[int] = (),
        signs: bool = False,
    ) -> None:
        super().__init__()
        self.members, self.width, self.num_features = members, width, members * width
        self.blocks = nn.ModuleList(
            BatchEnsembleLinear(inputs if i == 0 else width, width, members) for i in range(blocks)
        )
        self.dropout = nn.Dropout(dropout)
        sizes = torch.tensor(list(chunks) or [1] * inputs)
        drawn = torch.randn(members, len(sizes))
        first: Any = self.blocks[0].r
        with torch.no_grad():
            first.copy_((drawn.sign() if signs else drawn).repeat_interleave(sizes, dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) → features of all members side by side, (n, members · width)."""
        x = x[:, None].expand(-1, self.members, -1)
        for i, block in enumerate(self.blocks):
            x = torch.relu(block(x if i == 0 else self.dropout(x)))
        return x.flatten(1)

    def make_head(self, outputs: int, link: Link, bias: Tensor | None) -> SeparateHeads:
        """A head for each member."""
        return SeparateHeads(self.members, self.width, outputs, link, bias)

    def decay_scale(self, name: str) -> float | None:
        """Biases have no weight decay."""
        return 0.0 if name.endswith("bias") else None

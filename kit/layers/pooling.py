"""Pooling: token states (n, length, width) and mask (n, length) → one vector a row (n, width)."""

import torch
from torch import Tensor, nn


class ClsPool(nn.Module):
    """The state of the first token."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        return states[:, 0]


class MeanPool(nn.Module):
    """The mean state of the tokens that are not padding."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        kept = mask.unsqueeze(-1)
        return (states.float() * kept).sum(1) / kept.sum(1).clamp(min=1)  # a long sum in bf16 would lose digits


class AttentionPool(nn.Module):
    """A mean weighted by learnt attention over the tokens that are not padding (Yang et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.context = nn.Linear(width, 1, bias=False)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        scores = self.context(torch.tanh(self.hidden(states))).float()
        kept = mask.unsqueeze(-1)
        scores = scores.masked_fill(kept == 0, torch.finfo(scores.dtype).min)  # not -inf: a row may be all padding
        return (states.float() * (scores.softmax(1) * kept)).sum(1)


def pooling(name: str, width: int) -> nn.Module:
    """The pooling called `cls`, `mean` or `attention`."""
    return AttentionPool(width) if name == "attention" else {"cls": ClsPool, "mean": MeanPool}[name]()

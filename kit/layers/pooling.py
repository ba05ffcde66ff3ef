"""Pooling: token states (n, length, width) and mask (n, length) → one vector a row, of the pooling's own `width`."""

import torch
from torch import Tensor, nn


class Pool(nn.Module):
    """What all poolings have: `width`, the features a row gets.

    Args:
        width: features of a token's state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width


class ClsPool(Pool):
    """The state of the first token."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        return states[:, 0]


class MeanPool(Pool):
    """The mean state of the tokens that are not padding."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        kept = mask.unsqueeze(-1)
        return (states.float() * kept).sum(1) / kept.sum(1).clamp(min=1)  # a long sum in bf16 would lose digits


class MaxPool(Pool):
    """Each feature's largest value over the tokens that are not padding (Collobert et al. 2011); 0 if all are."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        kept = mask.unsqueeze(-1) != 0
        largest = states.masked_fill(~kept, torch.finfo(states.dtype).min).amax(1)
        return largest.masked_fill(~kept.any(1), 0)


class LastPool(Pool):
    """The state of the last token that is not padding; 0 if all are."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        kept = mask != 0
        places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
        rows, last = torch.arange(len(mask), device=mask.device), (kept * places).argmax(1)
        return states[rows, last].masked_fill(~kept.any(1, keepdim=True), 0)


class ConcatPool(Pool):
    """Mean, maximum and last state beside each other, three times the width (Howard & Ruder 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__(3 * width)
        self.parts = nn.ModuleList([MeanPool(width), MaxPool(width), LastPool(width)])

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        return torch.cat([part(states, mask) for part in self.parts], -1)


class AttentionPool(Pool):
    """A mean weighted by learnt attention over the tokens that are not padding (Yang et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.hidden = nn.Linear(width, width)
        self.context = nn.Linear(width, 1, bias=False)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        scores = self.context(torch.tanh(self.hidden(states))).float()
        kept = mask.unsqueeze(-1)
        scores = scores.masked_fill(kept == 0, torch.finfo(scores.dtype).min)  # not -inf: a row may be all padding
        return (states.float() * (scores.softmax(1) * kept)).sum(1)


POOLINGS: dict[str, type[Pool]] = {
    "cls": ClsPool,
    "mean": MeanPool,
    "max": MaxPool,
    "last": LastPool,
    "concat": ConcatPool,
    "attention": AttentionPool,
}


def pooling(name: str, width: int) -> Pool:
    """The pooling called `cls`, `mean`, `max`, `last`, `concat` or `attention`, of token states of this width."""
    return POOLINGS[name](width)

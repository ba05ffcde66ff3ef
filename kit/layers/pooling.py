"""Pooling: states of tokens (n, length, width) and mask (n, length) → one vector per row, (n, pool.width).

The mask is 1 at tokens and 0 at padding.
"""

import torch
from torch import Tensor, nn


class Pool(nn.Module):
    """Base class of poolings.

    Args:
        width: features of a token's state.

    Attributes:
        width: features of the result, for each row.
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
        return (states.float() * kept).sum(1) / kept.sum(1).clamp(min=1)  # fp32: a long sum in bf16 is inexact


class MaxPool(Pool):
    """The largest value of each feature over the tokens that are not padding (Collobert et al. 2011).

    A row of padding only gives zeros.
    """

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        kept = mask.unsqueeze(-1) != 0
        largest = states.masked_fill(~kept, torch.finfo(states.dtype).min).amax(1)
        return largest.masked_fill(~kept.any(1), 0)


class LastPool(Pool):
    """The state of the last token that is not padding. A row of padding only gives zeros."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        kept = mask != 0
        places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
        rows, last = torch.arange(len(mask), device=mask.device), (kept * places).argmax(1)
        return states[rows, last].masked_fill(~kept.any(1, keepdim=True), 0)


class ConcatPool(Pool):
    """Concatenation of mean, maximum and last state (Howard & Ruder 2018): three times the width."""

    def __init__(self, width: int) -> None:
        super().__init__(3 * width)
        self.parts = nn.ModuleList([MeanPool(width), MaxPool(width), LastPool(width)])

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        return torch.cat([part(states, mask) for part in self.parts], -1)


class AttentionPool(Pool):
    """Mean of the tokens' states, weighted by learnt attention; padding does not count (Yang et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.hidden = nn.Linear(width, width)
        self.context = nn.Linear(width, 1, bias=False)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        scores = self.context(torch.tanh(self.hidden(states))).float()
        kept = mask.unsqueeze(-1)
        scores = scores.masked_fill(kept == 0, torch.finfo(scores.dtype).min)  # not -inf: a row may be all padding
        return (states.float() * (scores.softmax(1) * kept)).sum(1)


class GeMPool(Pool):
    """The generalised mean (Σ xᵖ / n)^(1/p) of each feature, p learnt (Radenović et al. 2019). p = 1: the mean.

    Values below 1e-6 count as 1e-6, as a power needs positive ones. A row of padding only gives nearly 0.
    """

    def __init__(self, width: int, p: float = 3.0) -> None:
        super().__init__(width)
        self.p = nn.Parameter(torch.tensor([p]))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        kept = mask.unsqueeze(-1)
        powers = states.float().clamp(min=1e-6) ** self.p * kept
        return (powers.sum(1) / kept.sum(1).clamp(min=1)).clamp(min=1e-30) ** (1 / self.p)


POOLINGS: dict[str, type[Pool]] = {
    "cls": ClsPool,
    "mean": MeanPool,
    "max": MaxPool,
    "last": LastPool,
    "concat": ConcatPool,
    "attention": AttentionPool,
    "gem": GeMPool,
}


def pooling(name: str, width: int) -> Pool:
    """A pooling by its name: `cls`, `mean`, `max`, `last`, `concat`, `attention` or `gem`.

    Args:
        name: one of the names.
        width: features of a token's state.
    """
    return POOLINGS[name](width)

"""RCNN: every word between what is read before it and what is read after it."""

import torch
from torch import Tensor, nn

from kit.layers.pooling import MaxPool
from kit.models.rnn import reverse


class RCNN(nn.Module):
    """[left context; word; right context] → tanh projection → maximum over time (Lai et al. 2015).

    As in the paper a context leaves out the word itself, and the context of the first and the last word is learnt.
    The recurrence is an LSTM instead of a simple one.

    Args:
        inputs: width of a token's vector.
        hidden: width of each context.
        features: width of the projection.
    """

    hierarchical = False

    def __init__(self, inputs: int, hidden: int = 50, features: int = 100) -> None:
        super().__init__()
        self.left = nn.LSTM(inputs, hidden, batch_first=True)
        self.right = nn.LSTM(inputs, hidden, batch_first=True)
        self.edges = nn.Parameter(torch.zeros(2, hidden))
        self.projection = nn.Linear(inputs + 2 * hidden, features)
        self.pool = MaxPool(features)
        self.width = features

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, length, inputs), mask (n, length), 1 where a token stands → features (n, width)."""
        kept = mask != 0
        states = states.masked_fill(~kept.unsqueeze(-1), 0)
        left = before(self.left, states, self.edges[0])
        # two plain LSTMs, one over turned rows, take half the time of a packed bidirectional one on a CPU
        right = reverse(before(self.right, reverse(states, kept), self.edges[1]), kept)
        return self.pool(torch.tanh(self.projection(torch.cat([left, states, right], -1))), kept)


def before(lstm: nn.LSTM, states: Tensor, start: Tensor) -> Tensor:
    """The LSTM's output (n, length, hidden) before it reads each token, from the output `start` (hidden,) on."""
    first = start.expand(1, len(states), -1).contiguous()
    after, _ = lstm(states, (first, torch.zeros_like(first)))
    return torch.cat([first.transpose(0, 1), after[:, :-1]], 1)

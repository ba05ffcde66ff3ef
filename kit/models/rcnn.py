"""RCNN: each word is read together with its left and its right context (Lai et al. 2015)."""

import torch
from torch import Tensor, nn

from kit.layers.pooling import MaxPool
from kit.models.levels import Levels
from kit.models.rnn import reverse


class RCNNModule(nn.Module):
    """[left context; word; right context] → tanh projection → maximum over time (Lai et al. 2015).

    As in the paper, a context does not contain the word itself, and the left context of the first word and the right
    context of the last word are learnt. Contexts come from LSTMs; the paper uses simple recurrent networks.

    Args:
        inputs: width of a token's vector.
        hidden: width of each context.
        features: width of the projection.
    """

    hierarchical = False
    levels: Levels = (("left", "right", "edges"), "projection")  # from the lowest

    def __init__(self, inputs: int, hidden: int = 50, features: int = 100) -> None:
        super().__init__()
        self.left = nn.LSTM(inputs, hidden, batch_first=True)
        self.right = nn.LSTM(inputs, hidden, batch_first=True)
        self.edges = nn.Parameter(torch.zeros(2, hidden))
        self.projection = nn.Linear(inputs + 2 * hidden, features)
        self.pool = MaxPool(features)
        self.num_features = features

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, length, inputs), mask (n, length), 1 at tokens → features (n, num_features)."""
        kept = mask != 0
        states = states.masked_fill(~kept.unsqueeze(-1), 0)
        left = before(self.left, states, self.edges[0])
        # two plain LSTMs, one over reversed rows, take half the time of a packed bidirectional LSTM on a CPU
        right = reverse(before(self.right, reverse(states, kept), self.edges[1]), kept)
        return self.pool(torch.tanh(self.projection(torch.cat([left, states, right], -1))), kept)


def before(lstm: nn.LSTM, states: Tensor, start: Tensor) -> Tensor:
    """The LSTM's output just before it reads each token.

    Args:
        lstm: unidirectional, batch first.
        states: (n, length, inputs).
        start: (hidden,) the output before the first token.

    Returns:
        (n, length, hidden).
    """
    first = start.expand(1, len(states), -1).contiguous()
    after, _ = lstm(states, (first, torch.zeros_like(first)))
    return torch.cat([first.transpose(0, 1), after[:, :-1]], 1)

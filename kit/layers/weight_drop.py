"""Dropout for recurrent networks (Merity et al. 2018): of recurrent weights, of features, and of word types."""

import torch
from torch import Tensor, nn


class WeightDropLSTM(nn.Module):
    """An LSTM layer that drops hidden-to-hidden weights in training (DropConnect, Wan et al. 2013).

    All steps of a sequence share one mask, so torch's fused kernels can be used. In eval mode it is the plain
    `nn.LSTM` in `lstm`.

    Args:
        inputs: width of a token's vector.
        hidden: width of a state.
        p: share of weights dropped.
    """

    def __init__(self, inputs: int, hidden: int, p: float = 0.5) -> None:
        super().__init__()
        self.lstm, self.dropout = nn.LSTM(inputs, hidden, batch_first=True), nn.Dropout(p)

    def forward(self, states: Tensor) -> Tensor:
        """(n, length, inputs) → (n, length, hidden)."""
        return self.read(states)[0]

    def read(self, states: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Goes on from where an earlier call ended.

        Args:
            states: (n, length, inputs).
            memory: (2, n, hidden), state and cell before the first token; zeros by default.

        Returns:
            (n, length, hidden), and the memory after the last token.
        """
        lstm = self.lstm
        if memory is None:
            memory = states.new_zeros(2, len(states), lstm.hidden_size)
        memory = memory.to(states.dtype)
        start = (memory[:1].contiguous(), memory[1:].contiguous())
        if not self.training or self.dropout.p == 0:
            seen, (h, c) = lstm(states, start)
        else:
            weights = [lstm.weight_ih_l0, self.dropout(lstm.weight_hh_l0), lstm.bias_ih_l0, lstm.bias_hh_l0]
            # biases, 1 layer, no dropout between layers, training, one direction, batch first
            seen, h, c = torch.lstm(states, start, weights, True, 1, 0.0, True, False, True)
        return seen, torch.cat([h, c])


class LockedDropout(nn.Module):
    """Drops the same features at all tokens of a row (variational dropout, Gal and Ghahramani 2016).

    Args:
        p: share of features dropped.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.dropout = nn.Dropout(p)

    def forward(self, states: Tensor) -> Tensor:
        """(n, length, width) → the same shape."""
        return states * self.dropout(states.new_ones(len(states), 1, states.shape[-1])) if self.training else states


class EmbeddingDropout(nn.Module):
    """Drops word types: all tokens of a dropped type in the batch get a zero vector (Gal and Ghahramani 2016).

    Args:
        units: size of the vocabulary.
        p: share of word types dropped.
    """

    def __init__(self, units: int, p: float = 0.1) -> None:
        super().__init__()
        self.units, self.dropout = units, nn.Dropout(p)

    def forward(self, embeddings: Tensor, ids: Tensor) -> Tensor:
        """Embeddings (n, length, width) of the token ids (n, length) → the same shape."""
        return embeddings * self.dropout(embeddings.new_ones(self.units, 1))[ids] if self.training else embeddings

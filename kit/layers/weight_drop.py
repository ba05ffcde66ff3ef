"""Dropout of recurrent networks: recurrent weights, one mask a sequence, whole word types (Merity et al. 2018)."""

import torch
from torch import Tensor, nn


class WeightDropLSTM(nn.Module):
    """One layer of `nn.LSTM` that in training drops hidden-to-hidden weights (DropConnect, Wan et al. 2013).

    One mask serves a whole sequence, so torch's fused kernels stay in use. In eval mode it is `lstm`, a plain
    `nn.LSTM`.

    Args:
        inputs: width of each token's vector.
        hidden: width of each state.
        p: share of weights dropped.
    """

    def __init__(self, inputs: int, hidden: int, p: float = 0.5) -> None:
        super().__init__()
        self.lstm, self.dropout = nn.LSTM(inputs, hidden, batch_first=True), nn.Dropout(p)

    def forward(self, states: Tensor) -> Tensor:
        """(n, length, inputs) → (n, length, hidden)."""
        lstm = self.lstm
        if not self.training or self.dropout.p == 0:
            return lstm(states)[0]
        start = states.new_zeros(1, len(states), lstm.hidden_size)
        weights = [lstm.weight_ih_l0, self.dropout(lstm.weight_hh_l0), lstm.bias_ih_l0, lstm.bias_hh_l0]
        # biases, 1 layer, no dropout between layers, training, one direction, batch first
        return torch.lstm(states, (start, start), weights, True, 1, 0.0, True, False, True)[0]


class LockedDropout(nn.Module):
    """Drops the same features at every token of a row (variational dropout, Gal and Ghahramani 2016).

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
    """Drops word types: wherever in the batch a dropped one stands, its vector is zero (Gal and Ghahramani 2016).

    Args:
        units: types in the vocabulary.
        p: share of types dropped.
    """

    def __init__(self, units: int, p: float = 0.1) -> None:
        super().__init__()
        self.units, self.dropout = units, nn.Dropout(p)

    def forward(self, embeddings: Tensor, ids: Tensor) -> Tensor:
        """Vectors (n, length, width) of types (n, length) → the same shape."""
        return embeddings * self.dropout(embeddings.new_ones(self.units, 1))[ids] if self.training else embeddings

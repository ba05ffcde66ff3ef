"""RNNModule: bidirectional LSTM or GRU over token vectors."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from kit.core.errors import KitError, nearest
from kit.layers.pooling import pooling
from kit.layers.weight_drop import LockedDropout
from kit.models.levels import Levels

RecurrentKind = Literal["lstm", "gru"]


class Recurrent(nn.Module):
    """Recurrent layers over token vectors, with dropout before each of them, then pooling.

    Args:
        layers: each is vectors (n, length, …), mask (n, length) → states (n, length, …).
        dropout: share of features dropped before each layer, the same features at all tokens of a row.
        pool: states (n, length, …), mask (n, length) → (n, pool.width).
    """

    hierarchical = False
    levels: Levels = ("layers",)  # from the lowest

    def __init__(self, layers: Iterable[nn.Module], dropout: float, pool: Any) -> None:
        super().__init__()
        self.layers: Any = nn.ModuleList(layers)
        self.dropout = LockedDropout(dropout)
        self.pool = pool
        self.num_features: int = pool.width

    def states(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length) → states (n, length, …), forward direction first."""
        states = states.masked_fill(mask.unsqueeze(-1) == 0, 0)
        for layer in self.layers:
            states = layer(self.dropout(states), mask)
        return states

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length), padding at the end → (n, num_features)."""
        return self.pool(self.states(states, mask), mask)


class RNNModule(Recurrent):
    """Bidirectional LSTM (Graves and Schmidhuber 2005) or GRU (Cho et al. 2014), then pooling.

    Args:
        inputs: width of a token's vector.
        hidden: width of the states, in each direction.
        layers: number of layers; each reads the states of both directions below it.
        kind: `lstm` or `gru`.
        dropout: share of features dropped before each layer, the same features at all tokens of a row.
        pool: name of a pooling, see `BidirectionalPool`.

    Raises:
        KitError: there is no such kind.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int = 128,
        layers: int = 1,
        kind: RecurrentKind = "lstm",
        dropout: float = 0.0,
        pool: str = "concat",
    ) -> None:
        if kind not in get_args(RecurrentKind):
            raise KitError(f"there is no recurrent network '{kind}'" + nearest(kind, list(get_args(RecurrentKind))))
        make = nn.LSTM if kind == "lstm" else nn.GRU
        super().__init__(
            (Bidirectional(make, 2 * hidden if i else inputs, hidden) for i in range(layers)),
            dropout,
            BidirectionalPool(pool, hidden),
        )


class Bidirectional(nn.Module):
    """Two recurrent layers, one for each direction.

    Rows are reversed within their length and not packed: on a CPU that is more than twice as fast.
    """

    def __init__(self, make: type[nn.LSTM] | type[nn.GRU], inputs: int, hidden: int) -> None:
        super().__init__()
        self.ahead, self.back = make(inputs, hidden, batch_first=True), make(inputs, hidden, batch_first=True)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        ahead, back = self.ahead(states)[0], self.back(reverse(states, mask))[0]
        return torch.cat([ahead, reverse(back, mask)], -1)


class BidirectionalPool(nn.Module):
    """Pooling of the states of both directions, (n, length, 2 · hidden), forward direction first.

    The last state of the backward direction is the one at a row's first token.

    Args:
        name: name of a pooling, see `kit.layers.pooling.pooling`.
        hidden: width of the states, in each direction.
    """

    def __init__(self, name: str, hidden: int) -> None:
        super().__init__()
        self.apart = name in ("last", "concat")
        self.pool = pooling(name, hidden if self.apart else 2 * hidden)
        self.width = self.pool.width * (2 if self.apart else 1)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        if not self.apart:
            return self.pool(states, mask)
        ahead, back = states.chunk(2, -1)
        return torch.cat([self.pool(ahead, mask), self.pool(reverse(back, mask), mask)], -1)


def reverse(rows: Tensor, mask: Tensor) -> Tensor:
    """Reverses each row of `rows` (n, length, …) within its length by `mask` (n, length); padding stays at the end."""
    places = torch.arange(mask.shape[1], device=mask.device)
    lengths = mask.sum(1, keepdim=True).long()
    source = torch.where(places < lengths, lengths - 1 - places, places)
    return rows[torch.arange(len(rows), device=mask.device).unsqueeze(1), source]

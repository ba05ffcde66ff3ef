"""ON-LSTM: an LSTM with ordered neurons; higher neurons keep their state for longer (Shen et al. 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.pooling import pooling
from kit.models.rnn import BidirectionalPool, Recurrent, reverse


class ONLSTMModule(Recurrent):
    """Ordered-neurons LSTM (Shen et al. 2019), then pooling.

    Args:
        inputs: width of a token's vector.
        hidden: width of the states, in each direction.
        layers: number of layers.
        chunk: number of neighbouring neurons that share a master gate; must divide `hidden`.
        bidirectional: whether every layer also reads backwards.
        dropout: share of features dropped before each layer, the same features at all tokens of a row.
        weight_drop: share of hidden-to-hidden weights dropped, with one mask for a whole sequence.
        pool: name of a pooling, see `kit.layers.pooling.pooling`.

    Raises:
        KitError: `chunk` does not divide `hidden`.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int = 128,
        layers: int = 1,
        chunk: int = 8,
        bidirectional: bool = False,
        dropout: float = 0.0,
        weight_drop: float = 0.0,
        pool: str = "concat",
    ) -> None:
        if hidden % chunk:
            raise KitError(f"ONLSTM.chunk = {chunk} does not divide hidden = {hidden}")
        ways = 2 if bidirectional else 1
        super().__init__(
            (ONLSTMLayer(ways * hidden if i else inputs, hidden, chunk, ways, weight_drop) for i in range(layers)),
            dropout,
            BidirectionalPool(pool, hidden) if bidirectional else pooling(pool, hidden),
        )
        self.causal, self.hidden = not bidirectional, ways * hidden
        self.memory_widths = [] if bidirectional else [hidden] * layers

    def read(
        self, states: Tensor, mask: Tensor, memory: Sequence[Tensor | None] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """What `states` gives, and the memory (2, n, hidden) of each layer after the last token, to go on from."""
        states, after = states.masked_fill(mask.unsqueeze(-1) == 0, 0), []
        for layer, before in zip(self.layers, memory or [None] * len(self.layers), strict=True):
            states, end = layer.read(self.dropout(states), mask, before)
            after.append(end)
        return states, after


class ONLSTMLayer(nn.Module):
    """One layer, in one direction or in both.

    The columns of the weights: master forget gate and master input gate (one column per chunk each); forget, input and
    output gate; candidate state.
    """

    def __init__(self, inputs: int, hidden: int, chunk: int, ways: int, weight_drop: float) -> None:
        super().__init__()
        self.hidden, self.chunk, self.levels, self.ways = hidden, chunk, hidden // chunk, ways
        columns = 2 * self.levels + 4 * hidden
        self.weight_ih = nn.Parameter(torch.empty(ways, inputs, columns))
        self.weight_hh = nn.Parameter(torch.empty(ways, hidden, columns))
        self.bias = nn.Parameter(torch.empty(ways * columns))  # a vector, so optimizers treat it as a bias
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)
        self.dropout = nn.Dropout(weight_drop)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length) → (n, length, ways · hidden)."""
        return self.read(states, mask)[0]

    def read(self, states: Tensor, mask: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What `forward` gives, and the memory after the last token; in one direction it can be gone on from.

        Args:
            states: (n, length, inputs).
            mask: (n, length).
            memory: (2, n, hidden), state and cell before the first token; zeros by default.
        """
        n, length, _ = states.shape
        read = torch.stack([states, reverse(states, mask)]) if self.ways == 2 else states.unsqueeze(0)
        bias = self.bias.view(self.ways, 1, -1)
        given = torch.baddbmm(bias, read.flatten(1, 2), self.weight_ih).unflatten(1, (n, length))
        recurrent = self.dropout(self.weight_hh)
        if memory is None:
            memory = states.new_zeros(2, n, self.hidden)
        h, c = memory.to(given.dtype).unsqueeze(1).expand(2, self.ways, n, self.hidden).unbind()
        c = c.to(states.dtype).unflatten(-1, (self.levels, self.chunk))
        seen = []
        for z in given.unbind(2):
            h, c = self._step(torch.baddbmm(z, h, recurrent), c)
            seen.append(h)
        ahead, *back = torch.stack(seen, 2)
        after = torch.stack([h[0].to(states.dtype), c[0].flatten(-2).to(states.dtype)])
        return torch.cat([ahead, *(reverse(b, mask) for b in back)], -1), after

    def _step(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Pre-activations (ways, n, columns), cells (ways, n, levels, chunk) → states (ways, n, hidden), cells."""
        master, gates, candidate = z.split((2 * self.levels, 3 * self.hidden, self.hidden), -1)
        forget, put = master.unflatten(-1, (2, self.levels, 1)).softmax(-2).cumsum(-2).unbind(-3)
        put = 1 - put
        both = forget * put  # the overlap ω of the master gates; there the plain gates decide
        f, i, o = gates.sigmoid().unflatten(-1, (3, self.levels, self.chunk)).unbind(-3)
        c = torch.addcmul(forget, both, f - 1) * c + torch.addcmul(put, both, i - 1) * candidate.tanh().view_as(c)
        return (o * c.tanh()).flatten(-2), c

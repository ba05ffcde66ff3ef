"""ON-LSTM: an LSTM whose neurons are ordered, so that higher ones keep what they know for longer."""

import torch
from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.models.rnn import BidirectionalPool, Recurrent, reverse
from kit.spec import KitError


class ONLSTM(Recurrent):
    """Ordered-neurons LSTM (Shen et al. 2019), then pooling.

    Args:
        inputs: width of each token's vector.
        hidden: width of each direction's states.
        layers: how many.
        chunk: neighbouring neurons that share a master gate; divides `hidden`.
        bidirectional: whether every layer also reads backwards.
        dropout: share of features dropped before each layer, the same ones at every token of a row.
        weight_drop: share of hidden-to-hidden weights dropped, one mask for a whole sequence.
        pool: a name that `kit.layers.pooling.pooling` knows.

    Raises:
        KitError: chunks do not fill the hidden state.
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


class ONLSTMLayer(nn.Module):
    """One layer, in one direction or in both at once.

    Columns of the weights: master forget and input gate (one each a chunk); forget, input and output gate; candidate.
    """

    def __init__(self, inputs: int, hidden: int, chunk: int, ways: int, weight_drop: float) -> None:
        super().__init__()
        self.hidden, self.chunk, self.levels, self.ways = hidden, chunk, hidden // chunk, ways
        columns = 2 * self.levels + 4 * hidden
        self.weight_ih = nn.Parameter(torch.empty(ways, inputs, columns))
        self.weight_hh = nn.Parameter(torch.empty(ways, hidden, columns))
        self.bias = nn.Parameter(torch.empty(ways * columns))  # one vector: optimizers know biases by that
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)
        self.dropout = nn.Dropout(weight_drop)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length) → (n, length, ways · hidden)."""
        n, length, _ = states.shape
        read = torch.stack([states, reverse(states, mask)]) if self.ways == 2 else states.unsqueeze(0)
        bias = self.bias.view(self.ways, 1, -1)
        given = torch.baddbmm(bias, read.flatten(1, 2), self.weight_ih).unflatten(1, (n, length))
        recurrent = self.dropout(self.weight_hh)
        h, c = given.new_zeros(self.ways, n, self.hidden), states.new_zeros(self.ways, n, self.levels, self.chunk)
        seen = []
        for z in given.unbind(2):
            h, c = self._step(torch.baddbmm(z, h, recurrent), c)
            seen.append(h)
        ahead, *back = torch.stack(seen, 2)
        return torch.cat([ahead, *(reverse(b, mask) for b in back)], -1)

    def _step(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Pre-activations (ways, n, columns), cells (ways, n, levels, chunk) → states (ways, n, hidden), cells."""
        master, gates, candidate = z.split((2 * self.levels, 3 * self.hidden, self.hidden), -1)
        forget, put = master.unflatten(-1, (2, self.levels, 1)).softmax(-2).cumsum(-2).unbind(-3)
        put = 1 - put
        both = forget * put  # the overlap ω, in which the plain gates decide
        f, i, o = gates.sigmoid().unflatten(-1, (3, self.levels, self.chunk)).unbind(-3)
        c = torch.addcmul(forget, both, f - 1) * c + torch.addcmul(put, both, i - 1) * candidate.tanh().view_as(c)
        return (o * c.tanh()).flatten(-2), c

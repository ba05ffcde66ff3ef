"""AWD-LSTM: LSTM layers that are dropped out in every place where it does not hurt the recurrence."""

from itertools import pairwise

from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.layers.weight_drop import LockedDropout, WeightDropLSTM


class AWDLSTM(nn.Module):
    """Unidirectional LSTM with weight drop and locked dropout (Merity et al. 2018), then pooling.

    Its dropout of word types is `kit.layers.weight_drop.EmbeddingDropout`, beside the embedding. The defaults are those
    of ULMFiT (Howard and Ruder 2018) for a language model, in their proportions.

    Args:
        inputs: width of each token's vector.
        hidden: width of the layers' states.
        layers: how many.
        last: width of the last layer's states, `hidden` by default; for a decoder tied to the embedding, `inputs`.
        input_dropout: share of features dropped before the first layer, the same ones at every token of a row.
        hidden_dropout: as much between layers.
        output_dropout: as much before pooling.
        weight_drop: share of hidden-to-hidden weights dropped.
        pool: a name that `kit.layers.pooling.pooling` knows.
    """

    hierarchical = False
    causal = True

    def __init__(
        self,
        inputs: int,
        hidden: int = 256,
        layers: int = 3,
        last: int | None = None,
        input_dropout: float = 0.25,
        hidden_dropout: float = 0.15,
        output_dropout: float = 0.1,
        weight_drop: float = 0.2,
        pool: str = "concat",
    ) -> None:
        super().__init__()
        self.hidden = last or hidden
        widths = [inputs, *[hidden] * (layers - 1), self.hidden]
        self.layers = nn.ModuleList(WeightDropLSTM(a, b, weight_drop) for a, b in pairwise(widths))
        self.input_dropout, self.hidden_dropout = LockedDropout(input_dropout), LockedDropout(hidden_dropout)
        self.output_dropout = LockedDropout(output_dropout)
        self.pool = pooling(pool, self.hidden)
        self.width = self.pool.width

    def states(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length) → the last layer's states (n, length, last), before dropout."""
        states = self.input_dropout(states.masked_fill(mask.unsqueeze(-1) == 0, 0))
        for i, layer in enumerate(self.layers):
            states = layer(self.hidden_dropout(states) if i else states)
        return states

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length), padding at the end → (n, width)."""
        return self.pool(self.output_dropout(self.states(states, mask)), mask)

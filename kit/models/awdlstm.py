"""AWD-LSTM: LSTM layers with several kinds of dropout (Merity et al. 2018)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.layers.weight_drop import LockedDropout, WeightDropLSTM
from kit.models.levels import Levels


class AWDLSTMModule(nn.Module):
    """Unidirectional LSTM with weight drop and locked dropout (Merity et al. 2018), then pooling.

    The dropout of word types is not part of it: see `kit.layers.weight_drop.EmbeddingDropout`. The default dropout
    rates have the same proportions as those of ULMFiT's language model (Howard and Ruder 2018).

    Args:
        inputs: width of a token's vector.
        hidden: width of the layers' states.
        layers: number of layers.
        last: width of the last layer's states, `hidden` by default. For a decoder tied to the embedding: `inputs`.
        input_dropout: share of features dropped before the first layer, the same features at all tokens of a row.
        hidden_dropout: the same between layers.
        output_dropout: the same before pooling.
        weight_drop: share of hidden-to-hidden weights dropped.
        pool: name of a pooling, see `kit.layers.pooling.pooling`.
    """

    hierarchical = False
    causal = True
    levels: Levels = ("layers",)  # from the lowest

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
        self.layers: Any = nn.ModuleList(WeightDropLSTM(a, b, weight_drop) for a, b in pairwise(widths))
        self.memory_widths = widths[1:]  # of the state of each layer
        self.input_dropout, self.hidden_dropout = LockedDropout(input_dropout), LockedDropout(hidden_dropout)
        self.output_dropout = LockedDropout(output_dropout)
        self.pool = pooling(pool, self.hidden)
        self.num_features = self.pool.width

    def states(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length) → the last layer's states (n, length, last), before dropout."""
        return self.read(states, mask)[0]

    def read(
        self, states: Tensor, mask: Tensor, memory: Sequence[Tensor | None] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """What `states` gives, and the memory (2, n, width) of each layer after the last token, to go on from."""
        states, after = self.input_dropout(states.masked_fill(mask.unsqueeze(-1) == 0, 0)), []
        for i, (layer, before) in enumerate(zip(self.layers, memory or [None] * len(self.layers), strict=True)):
            states, end = layer.read(self.hidden_dropout(states) if i else states, before)
            after.append(end)
        return states, after

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length), padding at the end → (n, num_features)."""
        return self.pool(self.output_dropout(self.states(states, mask)), mask)

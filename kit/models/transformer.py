"""TransformerModule: a small Transformer, trained from scratch."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from kit.core.errors import KitError, nearest
from kit.layers.attention import SelfAttention, angles, visible
from kit.layers.pooling import pooling
from kit.models.levels import Levels

Positions = Literal["rotary", "learnt", "sinusoidal"]


class TransformerModule(nn.Module):
    """Pre-norm Transformer (Vaswani et al. 2017; Xiong et al. 2020), then pooling.

    Args:
        inputs: width of a token's vector. If it is not `width`, a linear layer changes it.
        width: width of the states. The pooled features have the width `num_features`.
        layers: number of layers.
        heads: number of heads in each layer.
        head_size: see `SelfAttention`.
        talking_heads: see `SelfAttention`.
        dropout: share dropped of the first layer's input, of attention weights, and of each sublayer's output.
        causal: whether a token attends only to itself and earlier tokens.
        positions: `rotary` (Su et al. 2021), `learnt` for up to `length` tokens, or `sinusoidal` (Vaswani et al. 2017).
        length: largest number of tokens in a row, for learnt positions.
        pool: name of a pooling, see `kit.layers.pooling.pooling`.

    Raises:
        KitError: there are no such positions, or `heads` does not fit `width`, see `SelfAttention`.
    """

    hierarchical = False
    levels: Levels = (("into", "places"), "layers")  # from the lowest

    def __init__(
        self,
        inputs: int,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        head_size: int | None = None,
        talking_heads: bool = False,
        dropout: float = 0.1,
        causal: bool = False,
        positions: Positions = "rotary",
        length: int = 512,
        pool: str = "mean",
    ) -> None:
        super().__init__()
        if positions not in get_args(Positions):
            raise KitError(f"there are no positions '{positions}'" + nearest(positions, list(get_args(Positions))))
        self.causal, self.hidden, self.positions = causal, width, positions
        self.into = nn.Linear(inputs, width) if inputs != width else nn.Identity()
        self.places = nn.Embedding(length, width) if positions == "learnt" else None
        if self.places is not None:
            nn.init.normal_(self.places.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(
                SelfAttention(width, heads, head_size, dropout, talking_heads, positions == "rotary"), width, dropout
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.pool = pooling(pool, width)
        self.num_features = self.pool.width

    def states(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length) → states (n, length, width).

        Raises:
            KitError: a row has more tokens than there are learnt positions.
        """
        states = self.dropout(self._placed(self.into(states.masked_fill(mask.unsqueeze(-1) == 0, 0))))
        may = visible(mask, self.causal)
        for layer in self.layers:
            states = layer(states, may)
        return self.norm(states)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (n, length, inputs), mask (n, length), padding at the end → (n, num_features)."""
        return self.pool(self.states(states, mask), mask)

    def _placed(self, states: Tensor) -> Tensor:
        """Adds learnt or sinusoidal positions to the states; rotary positions are part of the attention."""
        length = states.shape[1]
        if self.places is not None:
            if length > self.places.num_embeddings:
                raise KitError(f"a row of {length} tokens: TransformerModule.length is {self.places.num_embeddings}")
            return states + self.places.weight[:length]
        if self.positions == "sinusoidal":
            angle = angles(length, self.hidden, states.device)
            return states + torch.cat([angle.sin(), angle.cos()], -1)[:, : self.hidden]
        return states


class TransformerLayer(nn.Module):
    """Pre-norm layer: self-attention, then a feed-forward network of four times the width, both residual."""

    def __init__(self, attention: SelfAttention, width: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.attention_norm, self.norm = attention, nn.LayerNorm(width), nn.LayerNorm(width)
        self.feedforward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, may: Tensor) -> Tensor:
        """States (n, length, width) and attention mask `may`, see `SelfAttention` → the same shape."""
        states = states + self.dropout(self.attention(self.attention_norm(states), may))
        return states + self.dropout(self.feedforward(self.norm(states)))

"""FTTransformerModule: a Transformer whose tokens are the columns of a row (Gorishniy et al. 2021)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError


class FTTransformerModule(nn.Module):
    """A learnt token before those of the columns; pre-norm layers with ReGLU; that token's state, norm, ReLU.

    The first layer has no norm before its attention, and in the last one only the first token attends, as no other
    state is read (section 3.3 and the authors' code).

    Args:
        width: of a token.
        layers: number of layers.
        heads: attention heads; they divide the width.
        hidden: width inside the feed-forward part.
        attention_dropout: share of attention weights dropped.
        dropout: share of the feed-forward part's hidden features dropped.
        residual_dropout: share of what each part adds dropped.
    """

    levels = ("first", "layers")

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        hidden: int,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
        residual_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(width).uniform_(-(width**-0.5), width**-0.5))
        self.layers = nn.ModuleList(
            _Layer(width, heads, hidden, (attention_dropout, dropout, residual_dropout), norm=i > 0)
            for i in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.num_features = width

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, columns, width) → features (n, width)."""
        states = torch.cat([self.first.to(tokens.dtype).expand(len(tokens), 1, -1), tokens], dim=1)
        for i, layer in enumerate(self.layers):
            states = layer(states, 1 if i + 1 == len(self.layers) else None)
        return torch.relu(self.norm(states[:, 0]))


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, drop: tuple[float, float, float], norm: bool) -> None:
        super().__init__()
        if width % heads:
            raise KitError(f"{heads} heads do not divide the width {width}")
        self.heads, self.attention_dropout = heads, nn.Dropout(drop[0])
        self.attention_norm: nn.Module = nn.LayerNorm(width) if norm else nn.Identity()
        self.query, self.key_value, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        for linear in (self.query, self.key_value, self.out):
            nn.init.zeros_(linear.bias)
        self.norm, self.into, self.back = nn.LayerNorm(width), nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)
        self.dropout, self.residual_dropout = nn.Dropout(drop[1]), nn.Dropout(drop[2])

    def forward(self, states: Tensor, asking: int | None) -> Tensor:
        """States (n, tokens, width) → those of the first `asking` tokens; None: of all."""
        normed = self.attention_norm(states)
        q = self.query(normed[:, :asking]).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.key_value(normed).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        p = self.attention_dropout.p if self.training else 0.0
        seen = F.scaled_dot_product_attention(q, k, v, dropout_p=p)
        states = states[:, :asking] + self.residual_dropout(self.out(seen.transpose(1, 2).flatten(2)))
        value, gate = self.into(self.norm(states)).chunk(2, dim=-1)
        return states + self.residual_dropout(self.back(self.dropout(value * torch.relu(gate))))

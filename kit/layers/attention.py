"""Self-attention with heads of any size and, by option, heads that talk to each other."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.spec import KitError


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017).

    Args:
        width: of the states.
        heads: how many.
        head_size: width of each head, width / heads by default. A larger one lets a head express any pattern of
            attention over up to so many tokens (Bhojanapalli et al. 2020).
        dropout: share of attention weights dropped.
        talking_heads: whether scores, and then weights, are mixed across heads by learnt matrices, which start as the
            identity (Shazeer et al. 2020).
        rotary: whether queries and keys are turned by their places, see `rotate`.

    Raises:
        KitError: heads do not divide the width and have no size of their own, or cannot be turned in pairs.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        head_size: int | None = None,
        dropout: float = 0.0,
        talking_heads: bool = False,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        if head_size is None and width % heads:
            raise KitError(f"{heads} heads do not divide the width {width}: give head_size")
        self.heads, self.size, self.p, self.rotary = heads, head_size or width // heads, dropout, rotary
        if rotary and self.size % 2:
            raise KitError(f"rotary positions need an even head size, not {self.size}")
        self.into, self.out = nn.Linear(width, 3 * heads * self.size), nn.Linear(heads * self.size, width)
        self.mix_scores, self.mix_weights = (
            nn.Parameter(torch.eye(heads)) if talking_heads else None for _ in range(2)
        )

    def forward(self, states: Tensor, may: Tensor) -> Tensor:
        """States (n, length, width) → the same shape.

        Args:
            may: bool, broadcastable to (n, heads, length, length): whether a query (row) may look at a key (column).
        """
        q, k, v = self.into(states).unflatten(-1, (3, self.heads, self.size)).permute(2, 0, 3, 1, 4)
        if self.rotary:
            q, k = rotate(q), rotate(k)
        p = self.p if self.training else 0.0
        if self.mix_scores is None or self.mix_weights is None:
            seen = F.scaled_dot_product_attention(q, k, v, attn_mask=may, dropout_p=p)
        else:
            scores = _mixed(self.mix_scores, q * self.size**-0.5 @ k.transpose(-2, -1))
            scores = scores.masked_fill(~may, torch.finfo(scores.dtype).min)
            weights = F.dropout(scores.softmax(-1, dtype=torch.float32).to(v.dtype), p)
            seen = _mixed(self.mix_weights, weights) @ v
        return self.out(seen.transpose(1, 2).flatten(2))


def visible(mask: Tensor, causal: bool = False) -> Tensor:
    """Mask (n, length), padding at the end → bool (n, 1, 1, length), or (length, length) where attention is causal."""
    if not causal:
        return mask[:, None, None] > 0
    # no token comes after padding, so what is not later is not padding
    return mask.new_ones(mask.shape[1], mask.shape[1], dtype=torch.bool).tril()


def angles(length: int, size: int, device: torch.device | None = None) -> Tensor:
    """(length, size / 2): places times rates, which fall from 1 to nearly 1 / 10,000 (Vaswani et al. 2017)."""
    rates = 10_000.0 ** (-torch.arange(0, size, 2, device=device) / size)
    return torch.arange(length, device=device).unsqueeze(1) * rates


def rotate(x: Tensor) -> Tensor:
    """Turns pairs of features by `angles`, so that products of queries and keys know distances (Su et al. 2021).

    Args:
        x: (…, length, size); feature i is paired with feature i + size / 2.
    """
    angle = angles(x.shape[-2], x.shape[-1], x.device)
    cos, sin = angle.cos(), angle.sin()
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


def _mixed(mix: Tensor, heads: Tensor) -> Tensor:
    """(k, heads) matrix, (n, heads, length, length) → (n, k, length, length)."""
    return torch.einsum("kh,nhij->nkij", mix, heads)

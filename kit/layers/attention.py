"""Self-attention with heads of any size; talking heads and rotary positions are options."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017).

    Args:
        width: width of the states.
        heads: number of heads.
        head_size: width of each head, width / heads by default. A head can express any attention pattern over
            sequences of up to `head_size` tokens (Bhojanapalli et al. 2020).
        dropout: share of attention weights dropped.
        talking_heads: whether learnt matrices mix the scores, and then the weights, of different heads (Shazeer et al.
            2020). They start as the identity.
        rotary: whether queries and keys get rotary position embeddings, see `rotate`.

    Raises:
        KitError: `heads` does not divide `width` and there is no `head_size`, or rotary heads have an odd size.
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
            may: bool, broadcastable to (n, heads, length, length): True where a query (row) may attend to a key
                (column).
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
    """The attention mask for `SelfAttention`, from the mask of tokens (n, length) with padding at the end.

    Returns:
        Bool (n, 1, 1, length); for causal attention (length, length).
    """
    if not causal:
        return mask[:, None, None] > 0
    # padding comes last, so a token that may attend only to earlier places never sees padding
    return mask.new_ones(mask.shape[1], mask.shape[1], dtype=torch.bool).tril()


def angles(length: int, size: int, device: torch.device | None = None) -> Tensor:
    """Angles of the positions, (length, size / 2): position times frequency (Vaswani et al. 2017).

    The frequencies fall from 1 to nearly 1 / 10,000.
    """
    rates = 10_000.0 ** (-torch.arange(0, size, 2, device=device) / size)
    return torch.arange(length, device=device).unsqueeze(1) * rates


def rotate(x: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021): rotates pairs of features by `angles`.

    The product of a rotated query and a rotated key then depends on the distance between their positions.

    Args:
        x: (…, length, size); feature i is paired with feature i + size / 2.

    Returns:
        The same shape.
    """
    angle = angles(x.shape[-2], x.shape[-1], x.device)
    cos, sin = angle.cos(), angle.sin()
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


def _mixed(mix: Tensor, heads: Tensor) -> Tensor:
    """Mixes heads by a matrix (k, heads): (n, heads, length, length) → (n, k, length, length)."""
    return torch.einsum("kh,nhij->nkij", mix, heads)

"""Faster attention and layer norms for bf16 predictions on a CPU: the same mathematics with other kernels.

On a CPU, matrix products are faster than torch's fused bf16 attention for rows of a few hundred tokens. Norms that give
bf16 save the conversions in front of each linear layer.
"""

import contextlib
import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.train.cpu_linear import packed_linear_layers, packs
from kit.train.device import device_of

LONGEST = 512  # positions: beyond, a matrix of all scores costs more than the fused kernel
VECTOR = 32  # bf16 numbers that are computed at once
TAIL = 8  # keys beyond a multiple of VECTOR: for more, softmax is faster on masked keys up to the next multiple
torch_attention, torch_layer_norm = F.scaled_dot_product_attention, F.layer_norm


@contextlib.contextmanager
def prediction_kernels(net: nn.Module) -> Iterator[None]:
    """Context of predictions of a network, without gradients and with the weights as they are. It cannot be nested.

    On a CPU that multiplies bf16, linear layers keep their weights in oneDNN's layout, and attention and layer norms
    are replaced in torch.nn.functional, as `kit.train.kernels` does for training. Elsewhere, in fp32 and for compiled
    networks, nothing changes.
    """
    if device_of(net).type != "cpu" or not packs() or getattr(net, "_compiled_call_impl", None) is not None:
        yield
        return
    with packed_linear_layers(net):
        F.scaled_dot_product_attention, F.layer_norm = attention, layer_norm  # type: ignore[assignment]
        try:
            yield
        finally:
            F.scaled_dot_product_attention, F.layer_norm = torch_attention, torch_layer_norm


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`F.scaled_dot_product_attention` (Vaswani et al. 2017) as matrix products, for bf16 and rows of moderate length.

    Args:
        query: (n, heads, length, width); key and value: (n, heads, others, width).
        attn_mask: (n or 1, heads or 1, length, others), True where a query may attend to a key; or numbers that are
            added to the scores.

    Returns:
        (n, heads, length, width).
    """
    n, heads, length, width = query.shape if query.ndim == 4 else (0, 0, 0, 0)
    plain = not (is_causal or enable_gqa or dropout_p) and bf16_autocast() and max(length, key.shape[-2]) <= LONGEST
    plain &= attn_mask is None or attn_mask.shape[-1] == key.shape[-2]
    if not n or not plain or key.shape[:2] != query.shape[:2] or value.shape != key.shape:
        return torch_attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    others = key.shape[-2]
    extra = -others % VECTOR if others % VECTOR > TAIL else 0
    query, key, value = query.bfloat16() * (scale or 1 / math.sqrt(width)), key.bfloat16(), value.bfloat16()
    if extra:
        key, value = F.pad(key, (0, 0, 0, extra)), F.pad(value, (0, 0, 0, extra))
    query, key, value = (t.reshape(n * heads, -1, width) for t in (query, key, value))
    scores = torch.bmm(query, key.transpose(1, 2)).view(n, heads, length, others + extra)
    if (bias := _bias(attn_mask, others, extra)) is not None:
        scores += bias
    weights = torch.softmax(scores, -1).view(n * heads, length, -1)
    return torch.bmm(weights, value).view(n, heads, length, width)


def _bias(attn_mask: Tensor | None, others: int, extra: int) -> Tensor | None:
    """What is added to the scores so that masked keys, and `extra` ones at the end, get no weight.

    Args:
        attn_mask: see `attention`.
        others: number of keys.
        extra: number of keys that were added at the end.

    Returns:
        (n or 1, heads or 1, length or 1, others + extra) bf16; None: nothing is masked.
    """
    if attn_mask is None and not extra:
        return None
    least = torch.finfo(torch.bfloat16).min
    if attn_mask is None:
        bias = torch.zeros(1, 1, 1, others, dtype=torch.bfloat16)
    else:
        first = attn_mask[..., :1, :]  # a mask of padding is the same for every query
        mask = first if torch.equal(first.expand_as(attn_mask), attn_mask) else attn_mask
        bias = torch.zeros(mask.shape, dtype=torch.bfloat16)
        bias = bias.masked_fill_(~mask, least) if mask.dtype == torch.bool else bias + mask.bfloat16()
    return F.pad(bias, (0, extra), value=least)


def layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`F.layer_norm` (Ba et al. 2016), in fp32 as ever; under bf16 autocast its result is bf16."""
    normed = torch_layer_norm(input, normalized_shape, weight, bias, eps)
    return normed.bfloat16() if bf16_autocast() and normed.dtype == torch.float32 else normed


def bf16_autocast() -> bool:
    """Whether products on the CPU run in bf16 now."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16

"""Faster dropout and attention for training on a CPU: the same mathematics with other kernels.

On a CPU, torch draws dropout masks on one thread with a slow generator, and the backward pass of its fused attention is
slow: together a third of a training step of MiniLM. On a GPU torch's own kernels are faster, so nothing is replaced.
"""

import contextlib
import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SMALL = 2**14  # elements below which torch's own dropout is as fast
LEVELS = 2**16  # dropout rates are rounded to this many levels

torch_dropout, torch_attention = F.dropout, F.scaled_dot_product_attention


@contextlib.contextmanager
def training_kernels(device: torch.device) -> Iterator[None]:
    """Context of a training step on `device`, forward and backward. It cannot be nested.

    It replaces the functions in torch.nn.functional, so every model uses the faster ones. A TorchFunctionMode would not
    do: it costs some µs for each call of torch, and misses the calls of gradient checkpointing in the backward pass.
    """
    if device.type != "cpu":
        yield
        return
    F.dropout, F.scaled_dot_product_attention = dropout, attention  # type: ignore[assignment]
    try:
        yield
    finally:
        F.dropout, F.scaled_dot_product_attention = torch_dropout, torch_attention


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`F.dropout` (Srivastava et al. 2014). For large CPU tensors the mask uses 16 random bits per element.

    The bits come from numpy's SFC64 generator, which torch's generator seeds, so `torch.manual_seed` decides them.
    """
    if not training or not 0 < p < 1 or inplace or input.numel() < SMALL or input.device.type != "cpu":
        return torch_dropout(input, p, training, inplace)
    seed = int(torch.randint(2**62, ()))
    words = np.random.Generator(np.random.SFC64(seed)).integers(2**64, size=-(-input.numel() // 4), dtype=np.uint64)
    bits = torch.from_numpy(words.view(np.int16)[: input.numel()]).view(input.shape)
    threshold = round(p * LEVELS) - LEVELS // 2
    return torch.where(bits >= threshold, input * (1 / (1 - p)), 0.0)


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
    """`F.scaled_dot_product_attention` (Vaswani et al. 2017), as matrix products if gradients or dropout are needed.

    The dropout mask depends on the shape and the generator only, not on whether gradients are needed. So two passes can
    share a mask even if one of them runs without gradients.

    Args:
        query: (…, heads, n, width); key and value: (…, heads, m, width).
        attn_mask: (…, n, m), True where a query may attend to a key; or numbers that are added to the scores.

    Returns:
        (…, heads, n, width).
    """
    ours = (query.requires_grad or dropout_p > 0) and query.device.type == "cpu"
    if is_causal or enable_gqa or not ours:
        return torch_attention(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    scores = (query * (scale or 1 / math.sqrt(query.shape[-1]))) @ key.transpose(-2, -1)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    return dropout(weights, dropout_p) @ value

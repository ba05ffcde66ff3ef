"""Batches without padding: all rows are concatenated to one sequence, and attention stays within each row.

This saves the work for padding in every layer. On a GPU, attention runs in one kernel over rows of different lengths
(FlashAttention, Dao et al. 2022; torch uses its variable-length form for jagged tensors). On a CPU nothing is gained:
batches are sorted by length there, and only about 2 % of their tokens are padding.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

NAME = "kit"  # name under which this attention is registered in transformers
TRIAL = ((2, 1, 0, 2, 0), (1, 2, 0))  # two rows for a trial: indices of the first three token ids but padding


def pack(input_ids: Tensor, attention_mask: Tensor, first: int = 0) -> dict[str, Tensor]:
    """Removes the padding of a batch. The batch should be on the CPU: on a GPU, this would have to wait for results.

    Args:
        input_ids: (n, length).
        attention_mask: (n, length), 1 at tokens, 0 at padding; padding is at the end.
        first: position id of a row's first token.

    Returns:
        `input_ids` and `position_ids` (1, tokens); `slots` (tokens,), their places in the flattened padded batch;
        `offsets` (n + 1,), where rows begin; and the `attention_mask`, unchanged.
    """
    slots = attention_mask.flatten().nonzero()[:, 0]
    length = attention_mask.sum(1)
    return {
        "input_ids": input_ids.flatten()[slots][None],
        "position_ids": (slots % attention_mask.shape[1] + first)[None],
        "slots": slots,
        "offsets": torch.cat([length.new_zeros(1), length.cumsum(0)]),
        "attention_mask": attention_mask,
    }


def packed_states(
    backbone: Any, input_ids: Tensor, position_ids: Tensor, slots: Tensor, offsets: Tensor, attention_mask: Tensor
) -> Tensor:
    """Runs a backbone on a packed batch, the result of `pack` → states (n, length, width), zero at padding."""
    longest = attention_mask.shape[1]
    # transformers' own argument names; its models pass them on to their attention
    states = backbone(
        input_ids=input_ids, position_ids=position_ids, cu_seq_lens_q=offsets, max_length_q=longest
    ).last_hidden_state[0]
    padded = states.new_zeros(attention_mask.numel(), states.shape[-1]).index_copy(0, slots, states)
    return padded.view(*attention_mask.shape, -1)


def allow_packing(backbone: Any) -> int | None:
    """Makes a model of transformers read packed batches, if it can.

    It cannot if it has an attention of its own, or attends to a window only. A trial decides: the model must give the
    same states for two short rows, packed and padded.

    Returns:
        The position id of a row's first token, for `pack`; None if the model cannot read packed batches.
    """
    try:
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.masking_utils import sdpa_mask
    except ImportError:  # transformers before 4.53
        return None
    config = backbone.config
    if any(getattr(config, name, None) for name in ("sliding_window", "local_attention", "attention_window")):
        return None
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    before, first = config._attn_implementation, _first_position(backbone)
    config._attn_implementation = NAME
    if _same_packed(backbone, first):
        return first
    config._attn_implementation = before
    return None


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attention within rows: (1, heads, tokens, width) → (1, tokens, heads, width).

    Without offsets (`cu_seq_lens_q`) the batch is not packed, and transformers' own sdpa attention is used.
    """
    if cu_seq_lens_q is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **more
        )

    def rows(states: Tensor) -> Tensor:
        flat = states[0].transpose(0, 1).contiguous()
        # with the limits given, torch does not have to wait for the GPU to compute them
        nested = torch.nested.nested_tensor_from_jagged(flat, cu_seq_lens_q, min_seqlen=1, max_seqlen=max_length_q)
        return nested.transpose(1, 2)

    query, key = query.to(value.dtype), key.to(value.dtype)  # under autocast, rotated ones are fp32
    seen = scaled_dot_product_attention(rows(query), rows(key), rows(value), dropout_p=dropout, scale=scaling)
    return seen.transpose(1, 2).values()[None], None


def _first_position(backbone: Any) -> int:
    """Position id of a row's first token. RoBERTa and similar models begin after the id of padding."""
    tables = (m for name, m in backbone.named_modules() if name.endswith("position_embeddings"))
    padding = next((getattr(table, "padding_idx", None) for table in tables), None)
    return 0 if padding is None else padding + 1


@torch.no_grad()
def _same_packed(backbone: Any, first: int) -> bool:
    """Whether two short rows have the same states packed and padded."""
    padding, longest = getattr(backbone.config, "pad_token_id", None) or 0, max(map(len, TRIAL))
    some = [token for token in range(4) if token != padding]
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in TRIAL])
    ids = torch.tensor([[*(some[i] for i in row), *[padding] * (longest - len(row))] for row in TRIAL])
    training = backbone.training
    backbone.eval()
    try:
        plain = backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        with warnings.catch_warnings():  # torch warns once in a process, so it is enough to ignore it here
            warnings.filterwarnings("ignore", message="The PyTorch API of nested tensors is in prototype")
            packed = packed_states(backbone, **pack(ids, mask, first))
    except Exception:  # a model may fail in any way when it gets arguments that it does not know
        return False
    finally:
        backbone.train(training)
    there = mask.bool()
    return torch.allclose(plain[there], packed[there], rtol=1e-3, atol=1e-4)

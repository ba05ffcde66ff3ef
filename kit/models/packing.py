"""Rows without padding: tokens of several rows behind one another in one, attention within each row alone.

What a padded batch spends on padding is saved in every layer. On a GPU, attention then runs in one kernel over rows of
unlike length (FlashAttention, Dao et al. 2022, whose variable-length form torch uses for jagged tensors). On a CPU,
where sorted batches hold two tokens of padding in a hundred, nothing is gained.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

NAME = "kit"  # of the attention in transformers' list
TRIAL = ((2, 1, 0, 2, 0), (1, 2, 0))  # two rows, of the three first token ids that are not padding


def pack(input_ids: Tensor, attention_mask: Tensor, first: int = 0) -> dict[str, Tensor]:
    """A batch without its padding; on the CPU, for a GPU would have to be waited for.

    Args:
        input_ids: (n, length).
        attention_mask: (n, length), 1 where a token stands, all of them at the beginning of the row.
        first: the position id of a row's first token.

    Returns:
        `input_ids` and `position_ids` (1, tokens), `slots` (tokens,) their places in the flattened padded batch,
        `offsets` (n + 1,) where rows begin, and the `attention_mask` as it was.
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
    """What a backbone makes of a packed batch: states (n, length, width), zeros where padding was."""
    longest = attention_mask.shape[1]
    # transformers' own names, which models pass on to their attention
    states = backbone(
        input_ids=input_ids, position_ids=position_ids, cu_seq_lens_q=offsets, max_length_q=longest
    ).last_hidden_state[0]
    padded = states.new_zeros(attention_mask.numel(), states.shape[-1]).index_copy(0, slots, states)
    return padded.view(*attention_mask.shape, -1)


def allow_packing(backbone: Any) -> int | None:
    """Lets a transformers encoder read packed batches; gives the position id of a row's first token.

    None where the model cannot: its attention is of its own making, or sees a window. That it gives the same states
    for two short rows, packed and padded, is tried and not taken on trust.
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
    """Attention (1, heads, tokens, width) → (1, tokens, heads, width) within rows; without offsets as sdpa does it."""
    if cu_seq_lens_q is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **more
        )

    def rows(states: Tensor) -> Tensor:
        flat = states[0].transpose(0, 1).contiguous()
        # told the limits, it need not ask the GPU for them
        return torch.nested.nested_tensor_from_jagged(
            flat, cu_seq_lens_q, min_seqlen=1, max_seqlen=max_length_q
        ).transpose(1, 2)

    query, key = query.to(value.dtype), key.to(value.dtype)  # under autocast, rotated ones are fp32
    seen = scaled_dot_product_attention(rows(query), rows(key), rows(value), dropout_p=dropout, scale=scaling)
    return seen.transpose(1, 2).values()[None], None


def _first_position(backbone: Any) -> int:
    """RoBERTa and its kin count positions from after the padding's."""
    tables = (m for name, m in backbone.named_modules() if name.endswith("position_embeddings"))
    padding = next((getattr(table, "padding_idx", None) for table in tables), None)
    return 0 if padding is None else padding + 1


@torch.no_grad()
def _same_packed(backbone: Any, first: int) -> bool:
    """Whether two short rows come to the same states packed and padded."""
    padding, longest = getattr(backbone.config, "pad_token_id", None) or 0, max(map(len, TRIAL))
    some = [token for token in range(4) if token != padding]
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in TRIAL])
    ids = torch.tensor([[*(some[i] for i in row), *[padding] * (longest - len(row))] for row in TRIAL])
    training = backbone.training
    backbone.eval()
    try:
        plain = backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        packed = packed_states(backbone, **pack(ids, mask, first))
    except Exception:  # whatever a model says that is given what it does not know
        return False
    finally:
        backbone.train(training)
    there = mask.bool()
    return torch.allclose(plain[there], packed[there], rtol=1e-3, atol=1e-4)

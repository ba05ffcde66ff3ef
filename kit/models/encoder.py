"""A pretrained text encoder with pooling, dropout and a linear head."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from kit.layers.dropout import MultiSampleDropout
from kit.layers.heads import Heads, Link
from kit.layers.pooling import pooling


class TextEncoder(nn.Module):
    """backbone → pooling → dropout → linear.

    Args:
        backbone: a transformers encoder that gives `last_hidden_state` (n, length, width).
        outputs: columns of the prediction.
        pool: `cls`, `mean` or `attention`.
        dropout: share of pooled features dropped in training.
        bias: (outputs,) where the head's bias starts. With the log-odds of rare labels it need not first unlearn
            that half of all rows are positive (Lin et al. 2017, section 3.3); zeros by default.
        heads: jointly trained heads, see `Heads`; in training they give (heads, n, outputs).
        samples: dropout masks, see `MultiSampleDropout`; in training they give (samples, n, outputs).
        link: from logits to predictions, for the mean of several heads.
    """

    def __init__(
        self,
        backbone: Any,
        outputs: int,
        pool: str = "mean",
        dropout: float = 0.1,
        bias: Tensor | None = None,
        heads: int = 1,
        samples: int = 1,
        link: Link = "sigmoid",
    ) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        self.backbone = backbone
        self.pool = pooling(pool, width)
        self.outputs = outputs

        def linear() -> nn.Linear:
            head = nn.Linear(width, outputs)
            nn.init.normal_(head.weight, std=0.02)
            with torch.no_grad():
                head.bias.copy_(torch.zeros(outputs) if bias is None else bias)
            return head

        self.dropout: nn.Module = nn.Dropout(dropout)
        self.head: nn.Module = Heads(linear, heads, link) if heads > 1 else linear()
        if samples > 1:
            self.dropout, self.head = nn.Identity(), MultiSampleDropout(self.head, dropout, samples)
        self._layers = 1 + max([_layer(name) or 0 for name, _ in backbone.named_parameters()])

    @property
    def features_are_fixed(self) -> bool:
        """Whether features of a frozen backbone are fixed: the pooling learns nothing either."""
        return not any(True for _ in self.pool.parameters())

    def features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (n, length), 1 where a token stands → pooled features (n, width)."""
        states = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.pool(states, attention_mask)

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """Token ids and mask as for `features`, or the features themselves → logits (n, outputs)."""
        if features is None:
            assert input_ids is not None and attention_mask is not None
            features = self.features(input_ids, attention_mask)
        return self.head(self.dropout(features))

    def depth(self, name: str) -> int | None:
        """Layers above a parameter, by its name: 0 for the top layer, their count for embeddings, None for the head."""
        if not name.startswith("backbone."):
            return None
        layer = _layer(name)
        if layer is not None:
            return self._layers - 1 - layer
        # GPT-2 and T5 have their own names for embeddings; a norm or pooler after the last layer goes with the top
        return self._layers if re.search(r"embed|\b(?:wte|wpe|shared)\b", name) else 0


def _layer(name: str) -> int | None:
    """The number after `layer.`, `layers.`, `block.` or `h.` in a parameter's name."""
    found = re.search(r"\b(?:layers?|blocks?|h)\.(\d+)\.", name)
    return int(found.group(1)) if found else None

"""A pretrained text encoder with pooling: token ids in, one vector a row out."""

import re
from typing import Any

from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.models.packing import allow_packing, pack, packed_states


class TextEncoder(nn.Module):
    """backbone → pooling.

    Args:
        backbone: a transformers encoder that gives `last_hidden_state` (n, length, width).
        pool: a name that `kit.layers.pooling.pooling` knows.
        unpadded: read batches without their padding, where the model allows it.
    """

    def __init__(self, backbone: Any, pool: str = "mean", unpadded: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = pooling(pool, backbone.config.hidden_size)
        self.width: int = backbone.config.hidden_size
        self.first_position = allow_packing(backbone) if unpadded else None
        self._layers = 1 + max([layer_of(name) or 0 for name, _ in backbone.named_parameters()])

    @property
    def embedding(self) -> nn.Module:
        """Where token vectors come out: the point that perturbations shift."""
        return self.backbone.get_input_embeddings()

    @property
    def pretrained(self) -> list[nn.Module]:
        """Modules whose weights were learnt before."""
        return [self.backbone]

    @property
    def features_are_fixed(self) -> bool:
        """Whether features of a frozen backbone are fixed: the pooling learns nothing either."""
        return not any(True for _ in self.pool.parameters())

    def arranged(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """A padded batch as `forward` likes it best."""
        return inputs if self.first_position is None else pack(**inputs, first=self.first_position)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **packed: Tensor) -> Tensor:
        """Token ids and mask (n, length), 1 where a token stands, or what `pack` gives → pooled features (n, width)."""
        if packed:
            states = packed_states(self.backbone, input_ids, attention_mask=attention_mask, **packed)
        else:
            states = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.pool(states, attention_mask)

    def depth(self, name: str) -> int | None:
        """Layers above a parameter, by its name: 0 for the top layer, their count for embeddings, None for the head."""
        if not name.startswith("backbone."):
            return None
        layer = layer_of(name)
        if layer is not None:
            return self._layers - 1 - layer
        # GPT-2 and T5 have their own names for embeddings; a norm or pooler after the last layer goes with the top
        return self._layers if re.search(r"embed|\b(?:wte|wpe|shared)\b", name) else 0


def layer_of(name: str) -> int | None:
    """The number after `layer.`, `layers.`, `block.` or `h.` in a parameter's name."""
    found = re.search(r"\b(?:layers?|blocks?|h)\.(\d+)\.", name)
    return int(found.group(1)) if found else None

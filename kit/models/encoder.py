"""TextEncoder: a pretrained text encoder with pooling; token ids → one vector per row."""

import re
from typing import Any

from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.models.body import OneBody
from kit.models.han import by_sentence
from kit.models.packing import allow_packing, pack, packed_states


class TextEncoder(OneBody):
    """backbone → pooling.

    Args:
        backbone: a model of transformers that gives `last_hidden_state` (n, length, width).
        pool: name of a pooling, see `kit.layers.pooling.pooling`.
        unpadded: whether to remove the padding from batches, if the backbone supports it.
    """

    def __init__(self, backbone: Any, pool: str = "mean", unpadded: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = pooling(pool, backbone.config.hidden_size)
        self.num_features: int = backbone.config.hidden_size
        self.first_position = allow_packing(backbone) if unpadded else None
        self._layers = 1 + max([number_of_layer(name) or 0 for name, _ in backbone.named_parameters()])

    @property
    def embeddings(self) -> nn.Module:
        """The backbone's embedding of tokens; perturbations shift its output."""
        return self.backbone.get_input_embeddings()

    @property
    def pretrained(self) -> list[nn.Module]:
        """The modules with pretrained weights: the backbone."""
        return [self.backbone]

    @property
    def features_are_fixed(self) -> bool:
        """Whether the pooling has no weights, so the features of a frozen backbone do not change."""
        return not any(True for _ in self.pool.parameters())

    def prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """A padded batch → the arguments of `forward`; without padding, if the backbone supports that."""
        return inputs if self.first_position is None else pack(**inputs, first=self.first_position)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **packed: Tensor) -> Tensor:
        """Token ids and mask (n, length), 1 at tokens; or the result of `pack` → features (n, num_features)."""
        if packed:
            states = packed_states(self.backbone, input_ids, attention_mask=attention_mask, **packed)
        else:
            states = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.pool(states, attention_mask)

    def pieces(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Ids and mask (n, pieces, length), 1 at tokens → vectors (n, pieces, num_features), which pieces there are."""
        return by_sentence(self, input_ids, attention_mask)

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter, by its name. 0: the top layer; number of layers: embeddings; None: pooling."""
        if not name.startswith("backbone."):
            return None
        layer = number_of_layer(name)
        if layer is not None:
            return self._layers - 1 - layer
        # GPT-2 and T5 have other names for embeddings. A norm or pooler after the last layer belongs to the top layer.
        return self._layers if re.search(r"embed|\b(?:wte|wpe|shared)\b", name) else 0


def number_of_layer(name: str) -> int | None:
    """The number after `layer.`, `layers.`, `block.` or `h.` in a parameter's name."""
    found = re.search(r"\b(?:layers?|blocks?|h)\.(\d+)\.", name)
    return int(found.group(1)) if found else None

"""VocabularyModel: a backbone with the output layer over the vocabulary that its architecture has in transformers."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class VocabularyModel(nn.Module):
    """Backbone → states at some places → logits over the vocabulary.

    Only the states at these places go through the output layer, which costs a small encoder more than all its layers:
    a masked language model predicts one token in seven.

    Args:
        model: a language model of transformers. Its backbone is trained in place; its output layer is the head.
        layer_of: name of a parameter in the backbone → its layer, see `kit.train.model`.
    """

    def __init__(self, model: Any, layer_of: Callable[[str], int | None]) -> None:
        super().__init__()
        self.model: Any = model
        self._layer_of = layer_of

    @property
    def backbone(self) -> Any:
        """The model without its output layer."""
        return self.model.base_model

    @property
    def embeddings(self) -> nn.Module:
        """The backbone's embedding of tokens."""
        return self.backbone.get_input_embeddings()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        """Ids and mask (n, length), places (m,) in the flattened batch → logits (m, vocabulary)."""

        def at_places(module: nn.Module, given: Any, out: Any) -> Any:
            out.last_hidden_state = out.last_hidden_state.flatten(0, 1)[places].unsqueeze(0)
            return out

        hook = self.backbone.register_forward_hook(at_places)
        try:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits[0]
        finally:
            hook.remove()

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter of the backbone; None for the output layer."""
        prefix = f"model.{self.model.base_model_prefix}."
        return self._layer_of(name.removeprefix(prefix)) if name.startswith(prefix) else None

"""PiecewiseEncoder: encodes each piece of a long text, or each picture of a row, and joins their vectors."""

from typing import Any

from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.models.body import OneBody
from kit.models.han import AttentiveGRU


class PiecewiseEncoder(OneBody):
    """Encoder of pieces → vector of the whole row.

    If pieces are sentences and `join` is `gru`, it is a HAN over a pretrained encoder. If pieces are windows, the whole
    text is read, however long it is (Pappagari et al. 2019). Pieces may also be the pictures of a row.

    Args:
        encoder: its `pieces` gives the vectors (n, pieces, width) of a batch, and which of them are no padding.
        join: how the pieces' vectors become one: `mean`, `max`, `attention`, or `gru` (bidirectional, with attention).
    """

    def __init__(self, encoder: Any, join: str = "mean") -> None:
        super().__init__()
        self.encoder = encoder
        width: int = encoder.num_features
        joining: Any = AttentiveGRU(width, width // 2) if join == "gru" else pooling(join, width)
        self.join = joining
        self.num_features: int = joining.num_features if join == "gru" else width

    @property
    def backbone(self) -> Any:
        """The pretrained model in the encoder."""
        return self.encoder.backbone

    @property
    def embeddings(self) -> nn.Module:
        """The encoder's embedding of tokens."""
        return self.encoder.embeddings

    @property
    def pretrained(self) -> list[nn.Module]:
        """The encoder's modules with pretrained weights."""
        return self.encoder.pretrained

    @property
    def features_are_fixed(self) -> bool:
        """Whether neither the encoder's pooling nor the joining layer has weights."""
        return self.encoder.features_are_fixed and not any(True for _ in self.join.parameters())

    def forward(self, **inputs: Tensor) -> Tensor:
        """What the encoder's `pieces` reads, (n, pieces, …) each → features (n, num_features)."""
        return self.join(*self.encoder.pieces(**inputs))

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter of the encoder; None for the joining layer, which learns at the head's rate."""
        return self.encoder.layer_of(name.removeprefix("encoder.")) if name.startswith("encoder.") else None

"""Long texts in pieces: every piece is encoded for itself, and a pooling joins them."""

from typing import Any

from torch import Tensor, nn

from kit.layers.pooling import pooling
from kit.models.han import Reader, by_sentence


class Pieces(nn.Module):
    """Encoder of pieces → vector of the whole text.

    With sentences as pieces and `gru` it is hierarchical, as HAN is, over a pretrained encoder; with windows and `mean`
    or `max` the whole text is read however long it is (Pappagari et al. 2019).

    Args:
        encoder: ids and mask (pieces, length) → (pieces, width).
        join: `mean` or `max` of the vectors, `attention` over them, or `gru`, a bidirectional one with attention.
    """

    def __init__(self, encoder: Any, join: str = "mean") -> None:
        super().__init__()
        self.encoder = encoder
        self.join: Any = Reader(encoder.width, encoder.width // 2) if join == "gru" else pooling(join, encoder.width)
        self.width: int = self.join.width if join == "gru" else encoder.width

    @property
    def backbone(self) -> Any:
        """The pretrained model within."""
        return self.encoder.backbone

    @property
    def embedding(self) -> nn.Module:
        """Where the encoder's token vectors come out."""
        return self.encoder.embedding

    @property
    def pretrained(self) -> list[nn.Module]:
        """The encoder's."""
        return self.encoder.pretrained

    @property
    def features_are_fixed(self) -> bool:
        """Whether neither the encoder's pooling nor that of the pieces learns."""
        return self.encoder.features_are_fixed and not any(True for _ in self.join.parameters())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Ids and mask (n, pieces, length), 1 where a token stands → (n, width)."""
        vectors, there = by_sentence(self.encoder, input_ids, attention_mask)
        return self.join(vectors, there)

    def depth(self, name: str) -> int | None:
        """Layers above a parameter of the encoder; the joining layer learns as the head does."""
        return self.encoder.depth(name.removeprefix("encoder.")) if name.startswith("encoder.") else None

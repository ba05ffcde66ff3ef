"""A text network from scratch: embeddings of parallel sequences, and a network on them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kit.layers.dropout import WordDropout
from kit.models.encoder import layer_of


class SequenceEmbedding(nn.Module):
    """Embeds sequences that run beside each other (words, their tags) and puts the vectors side by side.

    Args:
        tables: sequence → its vectors (units, width); row 0 is padding and stays zero.
    """

    def __init__(self, tables: Mapping[str, Tensor]) -> None:
        super().__init__()
        # not by name in a ModuleDict: a sequence may be called what a dict has as its own method
        self.names = list(tables)
        self.tables = nn.ModuleList(_table(values) for values in tables.values())
        self.width = sum(values.shape[1] for values in tables.values())

    @property
    def first(self) -> nn.Embedding:
        """The first sequence's table."""
        table = self.tables[0]
        assert isinstance(table, nn.Embedding)
        return table

    def forward(self, ids: Mapping[str, Tensor]) -> Tensor:
        """Ids (n, …) by sequence → vectors (n, …, width), zero at padding."""
        vectors = [table(ids[name]) for name, table in zip(self.names, self.tables, strict=True)]
        return torch.cat(vectors, dim=-1)


def _table(values: Tensor) -> nn.Embedding:
    table = nn.Embedding(values.shape[0], values.shape[1], padding_idx=0)
    with torch.no_grad():
        table.weight.copy_(values)
        table.weight[0] = 0
    return table


class TextNet(nn.Module):
    """Embeddings → network.

    Args:
        embedding: of the sequences.
        net: vectors (n, length, width) and mask (n, length) → features (n, its `width`); with an axis of sentences
            before that of words where it is `hierarchical`.
        words: share of positions dropped whole, see `WordDropout`.
        channels: share of the vectors' numbers dropped.
    """

    def __init__(self, embedding: SequenceEmbedding, net: Any, words: float = 0.0, channels: float = 0.0) -> None:
        super().__init__()
        self.embedding, self.net = embedding, net
        # beside the embedding: within it they would rest while it is frozen
        self.words, self.channels = WordDropout(words), nn.Dropout(channels)
        self.width: int = net.width
        self.pretrained: list[nn.Module] = []  # what a language model has taught
        self.features_are_fixed = True  # frozen, nothing of it learns or drops
        self._layers = 1 + max([layer_of(name) or 0 for name, _ in net.named_parameters()])

    def forward(self, attention_mask: Tensor, **ids: Tensor) -> Tensor:
        """Mask, 1 where a unit stands, and ids of each sequence, (n, length) or (n, sentences, words) → (n, width)."""
        return self.net(self.words(self.channels(self.embedding(ids))), attention_mask)

    def depth(self, name: str) -> int | None:
        """Layers above a parameter, by its name; the embeddings lie below all."""
        if name.startswith("embedding."):
            return self._layers
        layer = layer_of(name)
        return 0 if layer is None else self._layers - 1 - layer

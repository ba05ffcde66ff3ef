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
        words: share of positions dropped whole, see `WordDropout`.
        channels: share of single numbers dropped.
    """

    def __init__(self, tables: Mapping[str, Tensor], words: float = 0.0, channels: float = 0.0) -> None:
        super().__init__()
        # not by name in a ModuleDict: a sequence may be called what a dict has as its own method
        self.names = list(tables)
        self.tables = nn.ModuleList(_table(values) for values in tables.values())
        self.width = sum(values.shape[1] for values in tables.values())
        self.words, self.channels = WordDropout(words), nn.Dropout(channels)

    def forward(self, ids: Mapping[str, Tensor]) -> Tensor:
        """Ids (n, …) by sequence → vectors (n, …, width), zero at padding."""
        vectors = [table(ids[name]) for name, table in zip(self.names, self.tables, strict=True)]
        return self.words(self.channels(torch.cat(vectors, dim=-1)))


def _table(values: Tensor) -> nn.Embedding:
    table = nn.Embedding(*values.shape, padding_idx=0)
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
        learnt: the weights come from a language model.
    """

    def __init__(self, embedding: SequenceEmbedding, net: Any, learnt: bool = False) -> None:
        super().__init__()
        self.embedding, self.net = embedding, net
        self.width: int = net.width
        self.pretrained: list[nn.Module] = [embedding, net] if learnt else []
        self.features_are_fixed = True  # frozen, nothing of it learns or drops
        self._layers = 1 + max([layer_of(name) or 0 for name, _ in net.named_parameters()])

    def forward(self, attention_mask: Tensor, **ids: Tensor) -> Tensor:
        """Mask, 1 where a unit stands, and ids of each sequence, (n, length) or (n, sentences, words) → (n, width)."""
        return self.net(self.embedding(ids), attention_mask)

    def depth(self, name: str) -> int | None:
        """Layers above a parameter, by its name; the embeddings lie below all."""
        if name.startswith("embedding."):
            return self._layers
        layer = layer_of(name)
        return 0 if layer is None else self._layers - 1 - layer

"""TextNetModule: a text network trained from scratch; embeddings of one or more sequences, and a network on them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kit.layers.dropout import WordDropout
from kit.models.body import OneBody
from kit.models.levels import height, levels_of


class SequenceEmbedding(nn.Module):
    """Embeds parallel sequences (for example words and their part-of-speech tags) and concatenates the vectors.

    Args:
        tables: name of a sequence → initial vectors (units, width). Row 0 is padding and stays zero.
    """

    def __init__(self, tables: Mapping[str, Tensor]) -> None:
        super().__init__()
        # a list, not a ModuleDict: the name of a sequence may be the name of a method of ModuleDict
        self.names = list(tables)
        self.tables = nn.ModuleList(_table(values) for values in tables.values())
        self.embedding_dim = sum(values.shape[1] for values in tables.values())

    @property
    def first(self) -> nn.Embedding:
        """The first sequence's table."""
        table = self.tables[0]
        assert isinstance(table, nn.Embedding)
        return table

    def forward(self, ids: Mapping[str, Tensor]) -> Tensor:
        """Ids (n, …) by sequence → vectors (n, …, embedding_dim), zero at padding."""
        vectors = [table(ids[name]) for name, table in zip(self.names, self.tables, strict=True)]
        return torch.cat(vectors, dim=-1)


def _table(values: Tensor) -> nn.Embedding:
    table = nn.Embedding(values.shape[0], values.shape[1], padding_idx=0)
    with torch.no_grad():
        table.weight.copy_(values)
        table.weight[0] = 0
    return table


class TextNetModule(OneBody):
    """Embeddings → network.

    Args:
        embedding: embedding of the sequences.
        net: vectors (n, length, width) and mask (n, length) → features (n, net.num_features). If `net.hierarchical`,
            vectors (n, sentences, words, width) and mask (n, sentences, words). For its layers see `kit.models.levels`.
        words: share of whole positions dropped, see `WordDropout`.
        channels: share of the vectors' entries dropped.
    """

    def __init__(self, embedding: SequenceEmbedding, net: Any, words: float = 0.0, channels: float = 0.0) -> None:
        super().__init__()
        self.embedding, self.net = embedding, net
        # not inside the embedding: a frozen embedding is in eval mode, and its dropout would be off
        self.words, self.channels = WordDropout(words), nn.Dropout(channels)
        self.num_features: int = net.num_features
        self.pretrained: list[nn.Module] = []  # modules that a language model has pretrained
        self.features_are_fixed = True  # when it is frozen, nothing learns and there is no dropout
        self._levels = levels_of(net)

    @property
    def embeddings(self) -> nn.Module:
        """The embedding; perturbations shift its output."""
        return self.embedding

    def forward(self, attention_mask: Tensor, **ids: Tensor) -> Tensor:
        """Mask (1 at units) and ids of each sequence → features (n, num_features).

        All are (n, length); for a hierarchical network (n, sentences, words).
        """
        return self.net(self.words(self.channels(self.embedding(ids))), attention_mask)

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter, by its name. 0: the top layer; the highest number: the embeddings."""
        if name.startswith("embedding."):
            return len(self._levels)
        return len(self._levels) - 1 - height(self._levels, name.removeprefix("net."))

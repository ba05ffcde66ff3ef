"""HAN: hierarchical attention network; from words to sentences, from sentences to the text (Yang et al. 2016)."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kit.layers.pooling import AttentionPool
from kit.models.levels import Levels


class HANModule(nn.Module):
    """Bidirectional GRU with attention over words, then the same over sentences (Yang et al. 2016).

    Args:
        inputs: width of a token's vector.
        words: hidden size of the GRU over words, in each direction. A sentence's vector is twice as wide.
        sentences: hidden size of the GRU over sentences, in each direction. The text's vector is twice as wide.
    """

    hierarchical = True
    levels: Levels = ("words", "sentences")  # from the lowest

    def __init__(self, inputs: int, words: int = 50, sentences: int = 50) -> None:
        super().__init__()
        self.words = AttentiveGRU(inputs, words)
        self.sentences = AttentiveGRU(self.words.num_features, sentences)
        self.num_features = self.sentences.num_features

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, sentences, words, inputs), mask (n, sentences, words) → features (n, num_features)."""
        return self.sentences(*by_sentence(self.words, states, mask))


class AttentiveGRU(nn.Module):
    """Bidirectional GRU → attention: states (n, length, inputs), mask (n, length) → (n, 2 · hidden)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True, bidirectional=True)
        self.pool = AttentionPool(2 * hidden)
        self.num_features = 2 * hidden

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        lengths = (mask != 0).sum(1).cpu()
        packed = pack_padded_sequence(states, lengths, batch_first=True, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=mask.shape[1])
        return self.pool(read, mask)


def by_sentence(encode: nn.Module, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Encodes all sentences of a batch together, each as a row; empty sentences are left out.

    Args:
        encode: states (m, words, …), mask (m, words) → vectors (m, width).
        states: (n, sentences, words, …), vectors or ids of words.
        mask: (n, sentences, words), 1 at words.

    Returns:
        Vectors (n, sentences, width), zero for empty sentences, and their mask (n, sentences).
    """
    lengths = (mask != 0).sum(-1)
    there, longest = lengths > 0, int(lengths.max())
    encoded = encode(states[:, :, :longest][there], mask[:, :, :longest][there])
    vectors = encoded.new_zeros(*there.shape, encoded.shape[-1])
    vectors[there] = encoded
    return vectors, there

"""HAN: words make sentences, sentences make the text, and attention says which of them count."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kit.layers.pooling import AttentionPool


class HAN(nn.Module):
    """Bidirectional GRU and attention over words, then the same over sentences (Yang et al. 2016).

    Args:
        inputs: width of a token's vector.
        words: hidden width of each direction over words; a sentence's vector is twice as wide.
        sentences: hidden width of each direction over sentences; the text's vector is twice as wide.
    """

    hierarchical = True

    def __init__(self, inputs: int, words: int = 50, sentences: int = 50) -> None:
        super().__init__()
        self.words = Reader(inputs, words)
        self.sentences = Reader(self.words.width, sentences)
        self.width = self.sentences.width

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, sentences, words, inputs), mask (n, sentences, words) → features (n, width)."""
        return self.sentences(*by_sentence(self.words, states, mask))


class Reader(nn.Module):
    """Bidirectional GRU → attention: states (n, length, inputs), mask (n, length) → (n, 2 · hidden)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True, bidirectional=True)
        self.pool = AttentionPool(2 * hidden)
        self.width = 2 * hidden

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        lengths = (mask != 0).sum(1).cpu()
        packed = pack_padded_sequence(states, lengths, batch_first=True, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=mask.shape[1])
        return self.pool(read, mask)


def by_sentence(encode: nn.Module, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Encodes the sentences that hold words, and no others, as rows of one batch no longer than the longest.

    Args:
        encode: states (n, words, …), mask (n, words) → vectors (n, width).
        states: (n, sentences, words, …), vectors of words or their ids.
        mask: (n, sentences, words), 1 where a word stands.

    Returns:
        Vectors (n, sentences, width), zero where no sentence is, and their mask (n, sentences).
    """
    lengths = (mask != 0).sum(-1)
    there, longest = lengths > 0, int(lengths.max())
    encoded = encode(states[:, :, :longest][there], mask[:, :, :longest][there])
    vectors = encoded.new_zeros(*there.shape, encoded.shape[-1])
    vectors[there] = encoded
    return vectors, there

"""HCN: a convolution over the words of each sentence, then one over the sentences."""

from collections.abc import Sequence

from torch import Tensor, nn

from kit.models.han import by_sentence
from kit.models.textcnn import TextCNN


class HCN(nn.Module):
    """A TextCNN that makes a vector of each sentence, and a TextCNN over these vectors.

    Args:
        inputs: width of a token's vector.
        filters: filters of each width, on both levels.
        widths: words that a filter spans.
        sentence_widths: sentences that a filter spans.
        dropout: share of a sentence's and of the text's features dropped in training.
    """

    hierarchical = True

    def __init__(
        self,
        inputs: int,
        filters: int = 100,
        widths: Sequence[int] = (2, 3, 4),
        sentence_widths: Sequence[int] = (1, 2, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.words = TextCNN(inputs, filters, widths, dropout)
        self.sentences = TextCNN(self.words.width, filters, sentence_widths, dropout)
        self.width = self.sentences.width

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, sentences, words, inputs), mask (n, sentences, words) → features (n, width)."""
        return self.sentences(*by_sentence(self.words, states, mask))

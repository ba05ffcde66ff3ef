"""HCN: hierarchical convolutions, first over the words of each sentence, then over the sentences."""

from collections.abc import Sequence

from torch import Tensor, nn

from kit.models.han import by_sentence
from kit.models.levels import Levels
from kit.models.textcnn import TextCNNModule


class HCNModule(nn.Module):
    """A TextCNN (Kim 2014) makes a vector of each sentence; a second TextCNN reads these vectors.

    Args:
        inputs: width of a token's vector.
        filters: number of filters of each width, on both levels.
        widths: widths of the filters over words.
        sentence_widths: widths of the filters over sentences.
        dropout: share of features dropped in training, on both levels.
    """

    hierarchical = True
    levels: Levels = ("words", "sentences")  # from the lowest

    def __init__(
        self,
        inputs: int,
        filters: int = 100,
        widths: Sequence[int] = (2, 3, 4),
        sentence_widths: Sequence[int] = (1, 2, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.words = TextCNNModule(inputs, filters, widths, dropout)
        self.sentences = TextCNNModule(self.words.num_features, filters, sentence_widths, dropout)
        self.num_features = self.sentences.num_features

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (n, sentences, words, inputs), mask (n, sentences, words) → features (n, num_features)."""
        return self.sentences(*by_sentence(self.words, states, mask))

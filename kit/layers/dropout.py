"""Kinds of dropout that torch does not have: several masks at once, and dropout of whole tokens."""

from torch import Tensor, nn

from kit.core.errors import KitError


class MultiSampleDropout(nn.Module):
    """Applies one head to the same features under several dropout masks (Inoue 2019).

    The method averages the losses of the samples, not their logits: train it with `Supervised(MeanOfOutputs(loss))`,
    see `kit.train.objectives`.

    Args:
        head: features (n, width) → logits (n, k), each row by itself.
        p: share of features dropped.
        samples: number of dropout masks in each step.

    Raises:
        KitError: `samples` is below 1.
    """

    def __init__(self, head: nn.Module, p: float = 0.5, samples: int = 5) -> None:
        super().__init__()
        if samples < 1:
            raise KitError(f"MultiSampleDropout.samples = {samples}: at least one is needed")
        self.head, self.dropout, self.samples = head, nn.Dropout(p), samples

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) → logits of each sample (samples, n, k) in training; (n, k), without dropout, in eval mode."""
        if not self.training:
            return self.head(features)
        dropped = self.dropout(features.expand(self.samples, *features.shape))
        return self.head(dropped.flatten(0, 1)).unflatten(0, (self.samples, -1))


class WordDropout(nn.Module):
    """Drops whole tokens (Iyyer et al. 2015): their embeddings become zero, the others are divided by 1 − p.

    Args:
        p: share of tokens dropped.
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(p)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(n, length, width) → the same shape."""
        return embeddings * self.dropout(embeddings.new_ones(*embeddings.shape[:-1], 1))

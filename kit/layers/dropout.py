"""Dropout beyond `nn.Dropout`: several masks at once, whole tokens."""

from torch import Tensor, nn

from kit.spec import KitError


class MultiSampleDropout(nn.Module):
    """One head under several dropout masks of the same features (Inoue 2019).

    The method averages the samples' losses, not their logits: train it with `Supervised(Each(loss))`, where `Each` is
    in `kit.train.objectives`.

    Args:
        head: features (n, width) → logits (n, k), row by row.
        p: share of features dropped.
        samples: masks drawn a step.
    """

    def __init__(self, head: nn.Module, p: float = 0.5, samples: int = 5) -> None:
        super().__init__()
        if samples < 1:
            raise KitError(f"MultiSampleDropout.samples = {samples}: at least one is needed")
        self.head, self.dropout, self.samples = head, nn.Dropout(p), samples

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) → logits of each sample (samples, n, k) in training, (n, k) without dropout in eval."""
        if not self.training:
            return self.head(features)
        dropped = self.dropout(features.expand(self.samples, *features.shape))
        return self.head(dropped.flatten(0, 1)).unflatten(0, (self.samples, -1))


class WordDropout(nn.Module):
    """Drops whole tokens: their embeddings become zero, the others grow by 1 / (1 − p) (Iyyer et al. 2015).

    Args:
        p: share of tokens dropped.
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(p)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(n, length, width) → the same shape."""
        return embeddings * self.dropout(embeddings.new_ones(*embeddings.shape[:-1], 1))

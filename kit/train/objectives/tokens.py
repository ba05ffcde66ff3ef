"""PredictedTokens: the loss of a model that predicts tokens at some places of a batch."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from kit.train.objective import Batch, Step


@dataclass(frozen=True)
class PredictedTokens:
    """Cross-entropy of the tokens to predict, in nats. Each token counts the same, however many its row has.

    The model gives logits (m, vocabulary) of the m tokens, and `batch["y"]` (m,) are their ids.

    Attributes:
        per_row: tokens to predict in a row, on average over all rows. The loop divides by rows, so the mean loss is
            that of a token. With 1 the loss of a batch is the sum over its tokens.
    """

    per_row: float = 1.0

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        logits = model(**batch["inputs"])
        return Step(F.cross_entropy(logits.float(), batch["y"], reduction="sum") / self.per_row, logits)

"""TokenBatches: batches of texts in which a model has to predict tokens at some places."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kit.text.masks import TokenMasks

if TYPE_CHECKING:
    import torch

    from kit.train.lengths import LengthBatches
    from kit.train.prefetch import WorkersNeeded
else:
    from kit.core.lazy import later

    torch = later("torch")

Asks = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Ids and which are real (n, length), and a generator → what is read (n, length), the places of the states that predict
(m,) in the flattened batch, and the tokens that they should predict (m,)."""


@dataclass(frozen=True)
class TokenBatches:
    """Batches for `kit.models.vocabulary.VocabularyModel`, with other random numbers in each epoch.

    Row i in epoch e has the position e · n + i, so a batch knows its epoch and a resumed run sees the same tokens.

    Attributes:
        batches: the texts, without labels.
        asks: what is to be predicted.
    """

    batches: "LengthBatches"
    asks: Asks
    needs: "ClassVar[WorkersNeeded]" = "nothing"

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch. Every call gives the same batches."""
        return [rows + epoch * len(self.batches.at) for rows in self.batches.plan(epoch)]

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        epoch, own = int(rows[0]) // len(self.batches.at), rows % len(self.batches.at)
        given = self.batches[own]["inputs"]
        ids, real = given["input_ids"].numpy(), given["attention_mask"].numpy() > 0
        seen, places, targets = self.asks(ids, real, np.random.default_rng([self.batches.seed, epoch, int(own[0])]))
        inputs = given | {"input_ids": torch.from_numpy(seen), "places": torch.from_numpy(places)}
        return {"inputs": inputs, "y": torch.from_numpy(targets)}


@dataclass(frozen=True)
class MaskedPlaces:
    """Asks for the tokens that masks hide."""

    masks: TokenMasks

    def __call__(
        self, ids: np.ndarray, real: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        seen, chosen = self.masks.draw(ids, real, rng)
        return seen, np.flatnonzero(chosen), ids[chosen]


def next_tokens(
    ids: np.ndarray, real: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Asks, at each token, for the one after it."""
    predicts = np.zeros_like(real)
    predicts[:, :-1] = real[:, 1:]
    return ids, np.flatnonzero(predicts), ids[:, 1:][real[:, 1:]]

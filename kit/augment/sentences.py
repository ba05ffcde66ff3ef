"""Augments that shuffle or delete whole sentences."""

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.pieces import sentences, spared, without


class SentenceShuffle(Augment):
    """Shuffles sentences, English or Chinese; keeps each sentence, changes their order.

    Gaps between sentences, such as an empty line, keep their places.
    """

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = sentences(text)
        bodies = pieces[1::2]
        pieces[1::2] = [bodies[i] for i in rng.permutation(len(bodies)).tolist()]
        return "".join(pieces)


class SentenceDelete(Augment):
    """Deletes random sentences, but not all. The label may depend on a deleted sentence."""

    share: float = Field(0.1, gt=0, le=1, description="probability that a sentence is deleted")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = sentences(text)
        return without(pieces, spared(len(pieces) // 2, self.share, rng))

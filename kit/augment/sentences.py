"""Whole sentences in another order, or left out."""

import numpy as np
from pydantic import Field

from kit.augment.base import Augment
from kit.augment.pieces import sentences, spared, without


class SentenceShuffle(Augment):
    """Sentences, of English or Chinese, in a random order: keeps each as it is, breaks what leads from one to the next.

    What stands between them, such as an empty line, stays in its place.
    """

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = sentences(text)
        bodies = pieces[1::2]
        pieces[1::2] = [bodies[i] for i in rng.permutation(len(bodies)).tolist()]
        return "".join(pieces)


class SentenceDelete(Augment):
    """Sentences are left out, and one always stays; what the label hangs on may be among them."""

    share: float = Field(0.1, gt=0, le=1, description="probability of each sentence to be left out")

    def __call__(self, text: str, rng: np.random.Generator) -> str:
        pieces = sentences(text)
        return without(pieces, spared(len(pieces) // 2, self.share, rng))

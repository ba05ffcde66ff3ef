"""FGM: one step along the gradient of the embeddings."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.train.perturb.ball import unit
from kit.train.perturb.base import Again, Perturb

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kit.train.perturb.point import Point


class FGM(Perturb):
    """Adversarial training with the fast gradient method (Miyato, Dai & Goodfellow 2017): one more pass a batch.

    Each row is shifted by eps · g / ‖g‖₂, g its gradient in the plain pass over all of its real tokens; the loss there
    is added to the plain one. The paper scales embeddings to unit variance, here eps is in their own unit.
    """

    eps: float = Field(1.0, gt=0, description="L2 length of a row's shift")

    def _add(self, model: "nn.Module", point: "Point", again: Again) -> "Tensor":
        with point.shifted(self.eps * unit(point.grad)):
            return again.backward()

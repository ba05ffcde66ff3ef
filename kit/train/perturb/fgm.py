"""FGM: adversarial training with one step along the gradient of the embeddings."""

from typing import TYPE_CHECKING

from pydantic import Field

from kit.train.perturb.ball import unit
from kit.train.perturb.base import Perturb, Replay

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint


class FGM(Perturb):
    """Adversarial training with the fast gradient method (Miyato, Dai & Goodfellow 2017): one more pass per batch.

    Shifts each row by eps · g / ‖g‖₂, where g is the row's gradient in the plain pass, over all of its real tokens, and
    adds the loss of the shifted rows to the plain one. The paper scales embeddings to unit variance; here they are not
    scaled, so a good eps depends on their size.
    """

    eps: float = Field(1.0, gt=0, description="L2 norm of a row's shift")

    def _add(self, model: "nn.Module", point: "HookPoint", replay: Replay) -> "Tensor":
        with point.shifted(self.eps * unit(replay.gradient(point))):
            return replay.backward()

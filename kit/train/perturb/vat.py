"""VAT: the prediction stays the same in a neighbourhood of each row, labelled or not."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kit.lazy import later
from kit.spec import KitError
from kit.train.perturb.ball import real, unit
from kit.train.perturb.base import Again, Perturb, rewinder

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    from kit.train.perturb.point import Point
else:
    torch, F = later("torch"), later("torch.nn.functional")

Link = Literal["softmax", "sigmoid", "identity"]
NO_LINK = "VAT.link is not set, and only members know the task: give softmax, sigmoid or identity"


class VAT(Perturb):
    """Virtual adversarial training (Miyato et al. 2018): adds weight · KL(p(x) ‖ p(x + r)), p(x) held fixed.

    r is the shift of L2 length eps that changes the prediction most, to second order: the top eigenvector of the KL's
    Hessian by power iteration. No labels are used. All passes drop the same units, so that r alone makes a difference.
    One pass without gradients and `iterations` + 1 passes more a batch.
    """

    link: Link | None = Field(
        None, description="reading of outputs: one softmax, a sigmoid each, plain numbers; none: the task's own"
    )
    eps: float = Field(1.0, gt=0, description="L2 length of a row's shift")
    xi: float = Field(0.1, gt=0, description="L2 length of the trial shift; rounding drowns the KL of a tiny one")
    iterations: int = Field(1, ge=1, description="power iterations")
    weight: float = Field(1.0, gt=0, description="factor of the added loss")

    def _add(self, model: "nn.Module", point: "Point", again: Again) -> "Tensor":
        link = self.link
        if link is None:
            raise KitError(NO_LINK)
        direction = unit(real(torch.randn_like(point.value), point.mask))
        rewind = rewinder(direction.device)
        with torch.no_grad():
            clean = again.output()

        def change() -> "Tensor":
            rewind()
            return divergence(clean, again.output(), link).sum()

        for _ in range(self.iterations):
            # scaled as a loss is: fp16 would round the gradient of the plain divergence to nothing
            direction = unit(point.gradient_of(lambda: change() / again.divisor, self.xi * direction))
        with point.shifted(self.eps * direction):
            loss = self.weight * change() / again.divisor
        loss.backward()
        return loss.detach()


def divergence(clean: "Tensor", other: "Tensor", link: Link) -> "Tensor":
    """KL divergence of each row's predictions, (n, k) logits twice → (n,); the mean over columns but for softmax.

    Of several answers a row, (members, n, k), the mean over these.

    For identity, the squared distance: the KL of normal distributions up to a factor.
    """
    if clean.ndim == 3:
        return torch.stack([divergence(a, b, link) for a, b in zip(clean, other, strict=True)]).mean(0)
    clean, other = clean.float(), other.float()
    if link == "softmax":
        return F.kl_div(other.log_softmax(1), clean.log_softmax(1), reduction="none", log_target=True).sum(1)
    if link == "identity":
        return (clean - other).square().mean(1)
    p = clean.sigmoid()
    crosses = [F.binary_cross_entropy_with_logits(logits, p, reduction="none") for logits in (other, clean)]
    return (crosses[0] - crosses[1]).mean(1)

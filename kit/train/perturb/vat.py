"""VAT: the prediction should not change in the neighbourhood of a row; no labels are needed."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kit.core.errors import KitError
from kit.core.lazy import later
from kit.train.perturb.ball import real, unit
from kit.train.perturb.base import Perturb, Replay, rewinder

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    from kit.train.perturb.hook_point import HookPoint
else:
    torch, F = later("torch"), later("torch.nn.functional")

NO_LINK = "VAT.link is not set, and outside a member nothing tells the task: set it to softmax, sigmoid or identity"


class VAT(Perturb):
    """Virtual adversarial training (Miyato et al. 2018): adds weight · KL(p(x) ‖ p(x + r)), with p(x) held constant.

    r is the shift of L2 norm eps that changes the prediction most, to second order: the first eigenvector of the KL's
    Hessian, found by power iteration. Labels are not used. All passes use the same dropout masks, so only r makes a
    difference. `iterations` + 2 more passes per batch.
    """

    version = 2

    link: Literal["softmax", "sigmoid", "identity"] | None = Field(
        None, description="from outputs to predictions: softmax, sigmoid of each, or plain numbers; none: by the task"
    )
    eps: float = Field(1.0, gt=0, description="L2 norm of a row's shift")
    xi: float = Field(0.1, gt=0, description="L2 norm of the trial shift; if it is tiny, rounding errors hide the KL")
    iterations: int = Field(1, ge=1, description="power iterations")
    weight: float = Field(1.0, gt=0, description="factor of the added loss")

    def _add(self, model: "nn.Module", point: "HookPoint", replay: Replay) -> "Tensor":
        link = self.link
        if link is None:
            raise KitError(NO_LINK)
        direction = unit(real(torch.randn_like(point.value), point.mask))
        rewind = rewinder(direction.device)
        # with its graph: without one a device may choose another kernel for attention, which drops other units
        clean = replay.output().detach()

        def change() -> "Tensor":
            rewind()
            return kl_divergence(clean, replay.output(), link).sum()

        for _ in range(self.iterations):
            # scaled like the loss: without it, fp16 would round the gradient to zero
            direction = unit(point.gradient_of(lambda: change() / replay.divisor, self.xi * direction))
        with point.shifted(self.eps * direction):
            loss = self.weight * change() / replay.divisor
        loss.backward()
        return loss.detach()


def kl_divergence(clean: "Tensor", other: "Tensor", link: str) -> "Tensor":
    """KL divergence of two predictions of each row: logits (n, k) twice → (n,).

    softmax: of one categorical distribution. sigmoid: the mean over the columns. identity: the mean squared distance,
    which is the KL of normal distributions up to a factor. If there are several outputs per row, (members, n, k), the
    result is the mean over them.
    """
    if clean.ndim == 3:
        return torch.stack([kl_divergence(a, b, link) for a, b in zip(clean, other, strict=True)]).mean(0)
    clean, other = clean.float(), other.float()
    if link == "softmax":
        return F.kl_div(other.log_softmax(1), clean.log_softmax(1), reduction="none", log_target=True).sum(1)
    if link == "identity":
        return (clean - other).square().mean(1)
    p = clean.sigmoid()
    crosses = [F.binary_cross_entropy_with_logits(logits, p, reduction="none") for logits in (other, clean)]
    return (crosses[0] - crosses[1]).mean(1)

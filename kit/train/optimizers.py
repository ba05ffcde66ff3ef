"""Settings of optimizers; `build` makes the torch optimizer of given parameter groups."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.core.lazy import later
from kit.core.spec import Spec, validator

if TYPE_CHECKING:
    import timm.optim as layerwise
    import torch
    from torch import Tensor
else:
    torch, layerwise = later("torch"), later("timm.optim")

Groups = list[dict[str, Any]]


class Optimizer(Spec):
    """Base class of the settings of an optimizer. Learning rates and weight decays are in the parameter groups.

    `state_dict` of the built optimizer holds its whole state, and can be saved in a weights-only file.
    """

    @abstractmethod
    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        """A torch optimizer.

        Args:
            groups: dicts with "params" (a list), "lr" and "weight_decay"; other keys, like "peak", are kept.
        """


class _Moments(Optimizer):
    """An optimizer with running means of the gradient and of its square (first and second moment)."""

    betas: tuple[float, float] = Field((0.9, 0.999), description="decay rates of the first and second moment")
    eps: float = Field(1e-6, gt=0, description="added to the denominator, against division by zero")

    @validator(mode="after")
    def _check_betas(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas = {self.betas} must be at least 0 and below 1")
        return self


class AdamW(_Moments):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019); torch's fused kernel."""

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return torch.optim.AdamW(groups, betas=self.betas, eps=self.eps, fused=True)


class Adam(_Moments):
    """Adam (Kingma & Ba 2015). Weight decay is added to the gradient (L2 regularisation)."""

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return torch.optim.Adam(groups, betas=self.betas, eps=self.eps, fused=True)


class SGD(Optimizer):
    """Gradient descent with momentum (Polyak 1964; Sutskever et al. 2013). Weight decay is added to the gradient."""

    momentum: float = Field(0.9, ge=0, lt=1, description="decay rate of the running sum of gradients")
    nesterov: bool = Field(False, description="Nesterov momentum")

    @validator(mode="after")
    def _check_nesterov(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        # not fused: torch's kernel fails if some weights have momentum and others, just unfrozen, have none yet
        return torch.optim.SGD(groups, momentum=self.momentum, nesterov=self.nesterov)


class RAdam(_Moments):
    """Rectified Adam (Liu et al. 2020): the first steps use momentum only, as the second moment is still uncertain.

    Weight decay is decoupled, as in the authors' code.
    """

    @validator(mode="after")
    def _check_rectifies(self) -> Self:
        if self.betas[1] <= 2 / 3:
            raise ValueError(f"betas = {self.betas}: the second must be above 2/3, else RAdam never adapts a step")
        return self

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return torch.optim.RAdam(groups, betas=self.betas, eps=self.eps, decoupled_weight_decay=True)


class Lars(Optimizer):
    """LARS (You, Gitman & Ginsburg 2017): momentum; the rate of each matrix is times trust · |w| / (|g| + decay · |w|).

    Weight decay is added to the gradient. Norms and biases learn at the plain rate, without weight decay.
    """

    momentum: float = Field(0.9, ge=0, lt=1, description="decay rate of the running sum of gradients")
    trust: float = Field(0.001, gt=0, description="trust coefficient: relative change of a matrix at learning rate 1")

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return layerwise.Lars(_matrices_apart(groups), momentum=self.momentum, trust_coeff=self.trust)


class Lamb(_Moments):
    """LAMB (You et al. 2020): Adam's step u of each matrix, scaled by |w| / |u + decay · w|.

    u has bias correction; weight decay is added to it before it is scaled. Norms and biases, without weight decay, take
    Adam's step unscaled, as in the authors' code. The gradient is clipped by the training loop, not here.
    """

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return layerwise.Lamb(_matrices_apart(groups), betas=self.betas, eps=self.eps, max_grad_norm=None)


def _matrices_apart(groups: Groups) -> Groups:
    """Splits each group into matrices and vectors, and switches the scaling on for matrices.

    timm decides by weight decay otherwise: with a weight decay of 0 it would scale nothing.
    """
    halves = [(g, adapt, [p for p in g["params"] if (p.ndim > 1) == adapt]) for g in groups for adapt in (True, False)]
    return [{**group, "params": params, "always_adapt": adapt} for group, adapt, params in halves if params]


class Lookahead(Optimizer):
    """Lookahead (Zhang et al. 2019): the inner optimizer moves fast weights. Every k steps the slow weights move
    towards them by the share alpha, and the fast weights go on from the slow ones.

    Slow weights start at the weights before the first step. (timm's Lookahead takes them only after k steps, and skips
    parameters without a gradient in the k-th step.) They are in the state of the inner optimizer and saved with it.
    """

    inner: Optimizer = Field(AdamW(), description="optimizer of the fast weights")
    k: int = Field(5, ge=1, description="steps of the fast weights before the slow weights move")
    alpha: float = Field(0.5, gt=0, le=1, description="step size of the slow weights, a share of the distance")

    @validator(mode="after")
    def _check_inner(self) -> Self:
        if isinstance(self.inner, Lookahead):
            raise ValueError("inner must not be another Lookahead")
        return self

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        starts: dict[Tensor, Tensor] = {}

        def before(optimizer: "torch.optim.Optimizer", *_: Any) -> None:
            for p in (p for group in optimizer.param_groups for p in group["params"] if p.grad is not None):
                if "slow" not in optimizer.state.get(p, {}):
                    starts[p] = p.detach().clone()

        @torch.no_grad()
        def after(optimizer: "torch.optim.Optimizer", *_: Any) -> None:
            for p, start in starts.items():  # after the step: the inner optimizer initialises only an empty state
                optimizer.state[p]["slow"] = start
            starts.clear()
            for group in optimizer.param_groups:
                group["steps"] = group.get("steps", 0) + 1
                fast = [p for p in group["params"] if "slow" in optimizer.state.get(p, {})]
                if fast and group["steps"] % self.k == 0:
                    slow = [optimizer.state[p]["slow"] for p in fast]
                    torch._foreach_lerp_(slow, fast, self.alpha)
                    torch._foreach_copy_(fast, slow)

        optimizer = self.inner.build(groups)
        optimizer.register_step_pre_hook(before)
        optimizer.register_step_post_hook(after)
        return optimizer


def set_momentum(optimizer: "torch.optim.Optimizer", momentum: float) -> None:
    """Sets the momentum of every group; for optimizers like Adam, the first of the betas."""
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        else:
            group["momentum"] = momentum

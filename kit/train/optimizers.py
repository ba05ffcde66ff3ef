"""Optimizers by their settings: each builds a torch optimizer over parameter groups."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.lazy import later
from kit.spec import Spec, validator

if TYPE_CHECKING:
    import timm.optim as layerwise
    import torch
    from torch import Tensor
else:
    torch, layerwise = later("torch"), later("timm.optim")

Groups = list[dict[str, Any]]


class Optimizer(Spec):
    """Settings of an optimizer; rates and weight decays stand in the parameter groups.

    What it builds saves and loads its whole state by `state_dict` and `load_state_dict`, weights-only files included.
    """

    @abstractmethod
    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        """A torch optimizer.

        Args:
            groups: dicts with "params" (a list), "lr" and "weight_decay"; further keys, like "peak", are left in them.
        """


class _Moments(Optimizer):
    """An optimizer with running means of the gradient and of its square."""

    betas: tuple[float, float] = Field((0.9, 0.999), description="decay rates of the two moments")
    eps: float = Field(1e-6, gt=0, description="term against division by zero")

    @validator(mode="after")
    def _check_betas(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas = {self.betas} must be at least 0 and below 1")
        return self


class AdamW(_Moments):
    """Adam with decoupled weight decay, as one fused kernel (Loshchilov & Hutter 2019)."""

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return torch.optim.AdamW(groups, betas=self.betas, eps=self.eps, fused=True)


class Adam(_Moments):
    """Adam; its weight decay is the classic one, a part of the gradient (Kingma & Ba 2015)."""

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return torch.optim.Adam(groups, betas=self.betas, eps=self.eps, fused=True)


class SGD(Optimizer):
    """Gradient descent with momentum; weight decay is a part of the gradient (Polyak 1964; Sutskever et al. 2013)."""

    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step that is taken again")
    nesterov: bool = Field(False, description="whether the gradient counts as taken after the momentum's step")

    @validator(mode="after")
    def _check_nesterov(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        # not fused: torch's kernel fails where some weights have momentum already and others, just let go, have none
        return torch.optim.SGD(groups, momentum=self.momentum, nesterov=self.nesterov)


class RAdam(_Moments):
    """Adam whose first steps, while the second moment is a guess, are plain momentum (Liu et al. 2020).

    Weight decay is decoupled, as in the authors' code.
    """

    @validator(mode="after")
    def _check_rectifies(self) -> Self:
        if self.betas[1] <= 2 / 3:
            raise ValueError(f"with betas = {self.betas} no step is ever adaptive; the second must be above 2/3")
        return self

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return torch.optim.RAdam(groups, betas=self.betas, eps=self.eps, decoupled_weight_decay=True)


class Lars(Optimizer):
    """Momentum with a rate for each matrix, trust · |w| / (|g| + decay · |w|) (You, Gitman & Ginsburg 2017).

    Weight decay is a part of the gradient. Norms and biases without weight decay learn at the plain rate.
    """

    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step that is taken again")
    trust: float = Field(0.001, gt=0, description="share of its own norm that a matrix moves at rate 1")

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return layerwise.Lars(_matrices_apart(groups), momentum=self.momentum, trust_coeff=self.trust)


class Lamb(_Moments):
    """Adam's step u, with bias correction, scaled to the norm of each matrix: |w| / |u + decay · w| (You et al. 2020).

    Weight decay is added to Adam's step before it is scaled. Norms and biases without weight decay take that step
    unscaled, as in the authors' code. The gradient is not clipped here: the loop does that.
    """

    def build(self, groups: Groups) -> "torch.optim.Optimizer":
        return layerwise.Lamb(_matrices_apart(groups), betas=self.betas, eps=self.eps, max_grad_norm=None)


def _matrices_apart(groups: Groups) -> Groups:
    """Each group as two, matrices and vectors: timm else adapts by weight decay alone, so nothing where that is 0."""
    halves = [(g, adapt, [p for p in g["params"] if (p.ndim > 1) == adapt]) for g in groups for adapt in (True, False)]
    return [{**group, "params": params, "always_adapt": adapt} for group, adapt, params in halves if params]


class Lookahead(Optimizer):
    """Every k steps slow weights go a share of the way to the fast ones, which go on from there (Zhang et al. 2019).

    timm's Lookahead takes its first slow weights after k steps, so that the first k are not looked ahead at all, and
    passes over parameters that have no gradient in the k-th step. Here slow weights start where training starts; they
    lie in the inner optimizer's state and are saved with it.
    """

    inner: Optimizer = Field(AdamW(), description="what moves the fast weights")
    k: int = Field(5, ge=1, description="steps of the fast weights for one of the slow ones")
    alpha: float = Field(0.5, gt=0, le=1, description="share of the way that the slow weights go")

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
            for p, start in starts.items():  # only now: an inner optimizer sets up a state that it finds empty
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
    """Sets the momentum of every group, for Adam's kin the first of the betas."""
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        else:
            group["momentum"] = momentum

"""Averages of the weights that a run passes through, and snapshots of them."""

import contextlib
import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.lazy import later
from kit.spec import Spec, validator
from kit.train.schedule import CosineRestarts, warmup_steps

if TYPE_CHECKING:
    import torch
    import torch.optim.swa_utils as swa_utils
    from torch import Tensor, nn
    from torch.nn.modules import batchnorm

    from kit.train import objective
else:
    torch, swa_utils = later("torch"), later("torch.optim.swa_utils")
    batchnorm, objective = later("torch.nn.modules.batchnorm"), later("kit.train.objective")

Weights = dict[str, "Tensor"]


class Averaging(ABC):
    """An average under way; its state can be saved in a weights-only file."""

    @abstractmethod
    def update(self, model: "nn.Module", step: int, total: int) -> None:
        """Takes note of the weights after optimizer step `step` (from 0) of `total`."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on from here; the tensors are not copies."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""

    @abstractmethod
    def put(self, model: "nn.Module") -> None:
        """Puts the averaged weights into the model, where there are any yet."""

    def finish(self, model: "nn.Module", batches: "Iterable[objective.Batch] | None" = None) -> None:
        """Puts the average into the model, with all that belongs to it; its mode and device stay.

        Args:
            model: the one that was watched.
            batches: train batches, to recompute batch-norm statistics on.
        """
        self.put(model)


class Average(Spec):
    """Settings of an average of weights."""

    @abstractmethod
    def start(self, model: "nn.Module", warmup: float = 0.0) -> Averaging:
        """An average that watches `model`, on its device; `warmup` is the share of steps before the schedule."""


class EMA(Average):
    """Exponential moving average (Polyak & Juditsky 1992), with a decay that grows to its value while points are few.

    Batch-norm statistics are averaged like the weights that they belong to; other buffers are the model's last.
    """

    decay: float = Field(0.999, ge=0, lt=1, description="share of the average kept at a step")
    since: float = Field(0.0, ge=0, lt=1, description="share of all steps after which it begins")

    def start(self, model: "nn.Module", warmup: float = 0.0) -> Averaging:
        def due(step: int, total: int) -> bool:
            return step >= math.floor(self.since * total + 1e-9)

        def merge(mean: "list[Tensor]", now: "list[Tensor]", count: int) -> None:
            swa_utils.get_ema_multi_avg_fn(min(self.decay, (1 + count) / (10 + count)))(mean, now, count)

        return _Running(model, due, merge)


class SWA(Average):
    """Equal average of the last part of a run (Izmailov et al. 2018), its batch-norm statistics computed afresh.

    Points are counted back from the last step, so that the final weights are always one.
    """

    since: float = Field(0.75, ge=0, lt=1, description="share of all steps after which it begins")
    every: int = Field(1, ge=1, description="steps from one point to the next")

    def start(self, model: "nn.Module", warmup: float = 0.0) -> Averaging:
        def due(step: int, total: int) -> bool:
            return step >= math.floor(self.since * total + 1e-9) and (total - 1 - step) % self.every == 0

        return _Running(model, due, swa_utils.get_swa_multi_avg_fn(), renew=True)


class _Running(Averaging):
    """Merges the model's weights into a mean at the steps that are due."""

    def __init__(
        self,
        model: "nn.Module",
        due: Callable[[int, int], bool],
        merge: "Callable[[list[Tensor], list[Tensor], int], None]",
        renew: bool = False,
    ) -> None:
        self.due, self.merge, self.renew = due, merge, renew
        self.device = next(model.parameters()).device
        self.mean: Weights = {}
        self.count = 0

    def update(self, model: "nn.Module", step: int, total: int) -> None:
        if not self.due(step, total):
            return
        now = model.state_dict()
        if not self.count:
            self.mean = {name: value.clone() for name, value in now.items()}
        else:
            means = [name for name, _ in model.named_parameters(remove_duplicate=False)]  # tied weights by each name
            means += [name for name in now if name.endswith(("running_mean", "running_var"))]
            self.merge([self.mean[name] for name in means], [now[name] for name in means], self.count)
            for name in now.keys() - set(means):
                self.mean[name].copy_(now[name])
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean = {name: value.to(self.device, copy=True) for name, value in state["mean"].items()}
        self.count = state["count"]

    def put(self, model: "nn.Module") -> None:
        if self.count:
            model.load_state_dict(self.mean)

    def finish(self, model: "nn.Module", batches: "Iterable[objective.Batch] | None" = None) -> None:
        self.put(model)
        if self.count and self.renew:
            renew_batch_norm(model, batches)


@contextlib.contextmanager
def averaged(
    model: "nn.Module", average: Averaging | None, batches: "Iterable[objective.Batch] | None" = None
) -> Iterator[None]:
    """Context in which the model is as `finish` would leave it: what is judged is what is kept."""
    if average is None:
        yield
        return
    own = {name: value.clone() for name, value in model.state_dict().items()}
    average.finish(model, batches)
    try:
        yield
    finally:
        model.load_state_dict(own)


def renew_batch_norm(model: "nn.Module", batches: "Iterable[objective.Batch] | None") -> None:
    """Batch-norm statistics over one pass of `batches`; all else works as at prediction, without dropout.

    Frozen batch norm keeps the statistics that it had in training; a model without batch norm is left as it is.

    Raises:
        ValueError: there is batch norm that learns and there are no batches.
    """
    modes = {module: module.training for module in model.modules()}
    norms = {m: m.momentum for m in modes if isinstance(m, batchnorm._BatchNorm) and _learns(m)}
    if not norms:
        return
    if batches is None:
        raise ValueError("the model has batch norm, whose statistics need batches to be computed afresh")
    device = next(model.parameters()).device
    model.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    with torch.no_grad():
        for batch in batches:
            model(**objective.to_device(batch, device)["inputs"])
    for norm, momentum in norms.items():
        norm.momentum = momentum
    for module, training in modes.items():
        module.training = training


def _learns(module: "nn.Module") -> bool:
    weights = list(module.parameters())
    return not weights or any(weight.requires_grad for weight in weights)


class Snapshots(Average):
    """The weights at the end of each cycle of `CosineRestarts`, whose predictions are averaged (Huang et al. 2017)."""

    cycles: int = Field(5, ge=1, description="cycles of the schedule")
    keep: int | None = Field(None, ge=1, description="last snapshots that are kept; none: all")

    @validator(mode="after")
    def _check_keep(self) -> Self:
        if self.keep is not None and self.keep > self.cycles:
            raise ValueError(f"keep = {self.keep} is more than the {self.cycles} cycles")
        return self

    def start(self, model: "nn.Module", warmup: float = 0.0) -> "Kept":
        return Kept(CosineRestarts(cycles=self.cycles), self.keep or self.cycles, warmup)


class Kept(Averaging):
    """Snapshots under way; `states` are those kept so far, on the CPU, the oldest first."""

    def __init__(self, schedule: CosineRestarts, keep: int, warmup: float) -> None:
        self.schedule, self.keep, self.warmup = schedule, keep, warmup
        self.states: list[Weights] = []

    def update(self, model: "nn.Module", step: int, total: int) -> None:
        rising = warmup_steps(total, self.warmup)
        if step - rising in self.schedule.ends(total - rising):
            state = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
            self.states = [*self.states, state][-self.keep :]

    def state_dict(self) -> dict[str, Any]:
        return {"states": self.states}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.states = copy.deepcopy(state["states"])

    def put(self, model: "nn.Module") -> None:
        """Leaves the model with its last weights: snapshots are averaged as predictions, not as weights."""


def greedy_soup(states: list[Weights], score: Callable[[Weights], float]) -> Weights:
    """Plain mean of those checkpoints that do not make it worse, tried from the best one down (Wortsman et al. 2022).

    Args:
        states: weights of the same model.
        score: of weights on judged rows, higher is better.

    Returns:
        Means of floating-point tensors; others are the best checkpoint's.
    """
    scores = [score(state) for state in states]
    best, *others = sorted(range(len(states)), key=lambda i: -scores[i])
    chosen, soup, reached = [states[best]], states[best], scores[best]
    for i in others:
        tried = _mean([*chosen, states[i]])
        if (judged := score(tried)) >= reached:
            chosen, soup, reached = [*chosen, states[i]], tried, judged
    return soup


def _mean(states: list[Weights]) -> Weights:
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }

"""Averages of the weights over the steps of a training (EMA, SWA), snapshots, and greedy soups."""

import contextlib
import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.core.lazy import later
from kit.core.spec import Spec, validator
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
    """An average that is being computed during a training. Its state can be saved in a weights-only file."""

    @abstractmethod
    def update(self, model: "nn.Module", step: int, total: int) -> None:
        """Adds the model's weights, after optimizer step `step` (from 0) of `total`."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """The state, for `load_state_dict`. The tensors are not copied."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores a state that `state_dict` gave."""

    @abstractmethod
    def put(self, model: "nn.Module") -> None:
        """Copies the averaged weights into the model; does nothing before the first update."""

    def finish(self, model: "nn.Module", batches: "Iterable[objective.Batch] | None" = None) -> None:
        """Copies the averaged weights into the model and, if needed, recomputes batch-norm statistics.

        Args:
            model: the model whose weights were averaged. Its mode (train or eval) and device stay the same.
            batches: train batches, to recompute batch-norm statistics.
        """
        self.put(model)


class Average(Spec):
    """Settings of an average of weights."""

    @abstractmethod
    def start(self, model: "nn.Module", warmup: float = 0.0) -> Averaging:
        """Starts an average of the weights of `model`, on its device.

        Args:
            model: the model to be trained.
            warmup: share of the steps that are warmup, before the schedule begins.
        """


class EMA(Average):
    """Exponential moving average of the weights (Polyak & Juditsky 1992).

    The decay of update number n is min(decay, (1 + n) / (10 + n)), so the first updates count more. Batch-norm
    statistics are averaged like weights; other buffers are taken from the model's last step.
    """

    decay: float = Field(0.999, ge=0, lt=1, description="share of the old average that is kept in each step")
    since: float = Field(0.0, ge=0, lt=1, description="share of all steps before the average begins")

    def start(self, model: "nn.Module", warmup: float = 0.0) -> Averaging:
        def due(step: int, total: int) -> bool:
            return step >= math.floor(self.since * total + 1e-9)

        def merge(mean: "list[Tensor]", now: "list[Tensor]", count: int) -> None:
            swa_utils.get_ema_multi_avg_fn(min(self.decay, (1 + count) / (10 + count)))(mean, now, count)

        return _Running(model, due, merge)


class SWA(Average):
    """Stochastic weight averaging (Izmailov et al. 2018): the plain mean of the weights over the last part of a stage.

    The weights of every `every`-th step are averaged, counted back from the last step, so the final weights are always
    among them. Batch-norm statistics are recomputed at the end.
    """

    since: float = Field(0.75, ge=0, lt=1, description="share of all steps before the average begins")
    every: int = Field(1, ge=1, description="steps between two sets of weights that are averaged")

    def start(self, model: "nn.Module", warmup: float = 0.0) -> Averaging:
        def due(step: int, total: int) -> bool:
            return step >= math.floor(self.since * total + 1e-9) and (total - 1 - step) % self.every == 0

        return _Running(model, due, swa_utils.get_swa_multi_avg_fn(), renew=True)


class _Running(Averaging):
    """Merges the model's weights into a mean, in those steps for which `due(step, total)` is true."""

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
    """Context in which the model has its averaged weights, as after `finish`: they are what gets scored.

    Afterwards the model has its own weights again.
    """
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
    """Recomputes batch-norm statistics in one pass over `batches`; all other modules are in eval mode meanwhile.

    Frozen batch-norm layers keep their statistics. A model without batch norm is not changed.

    Raises:
        ValueError: the model has batch norm that is not frozen, and there are no batches.
    """
    modes = {module: module.training for module in model.modules()}
    norms = {m: m.momentum for m in modes if isinstance(m, batchnorm._BatchNorm) and _learns(m)}
    if not norms:
        return
    if batches is None:
        raise ValueError(
            "the model has batch norm, whose statistics must be computed again after averaging: give batches"
        )
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
    """Snapshot ensemble (Huang et al. 2017): keeps the weights at the end of each cycle of `CosineRestarts`.

    The predictions of the snapshots are averaged, not their weights.
    """

    cycles: int = Field(5, ge=1, description="cycles of the schedule")
    keep: int | None = Field(None, ge=1, description="number of last snapshots to keep; none: all")

    @validator(mode="after")
    def _check_keep(self) -> Self:
        if self.keep is not None and self.keep > self.cycles:
            raise ValueError(f"keep = {self.keep} is more than the {self.cycles} cycles")
        return self

    def start(self, model: "nn.Module", warmup: float = 0.0) -> "Kept":
        return Kept(CosineRestarts(cycles=self.cycles), self.keep or self.cycles, warmup)


class Kept(Averaging):
    """Snapshots during a training. `states`: the weights kept so far, on the CPU, oldest first."""

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
        """Does nothing: the model keeps its last weights, because predictions are averaged and not weights."""


def greedy_soup(states: list[Weights], score: Callable[[Weights], float]) -> Weights:
    """Greedy soup (Wortsman et al. 2022): the mean of several sets of weights of one model.

    The sets are tried from the best one down; one is added if the score of the mean does not fall.

    Args:
        states: state dicts of the same model.
        score: score of a state dict on validation rows, higher is better.

    Returns:
        A state dict: the mean of floating-point tensors; other tensors are those of the best single state.
    """
    scores = [score(state) for state in states]
    best, *others = sorted(range(len(states)), key=lambda i: -scores[i])
    chosen, soup, soup_score = [states[best]], states[best], scores[best]
    for i in others:
        candidate = _mean([*chosen, states[i]])
        if (candidate_score := score(candidate)) >= soup_score:
            chosen, soup, soup_score = [*chosen, states[i]], candidate, candidate_score
    return soup


def _mean(states: list[Weights]) -> Weights:
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }

"""Annealing: dropout and weight decay that change over the steps of a stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from torch import nn

from kit.train.schedule import Schedule


class Anneal(Protocol):
    """`anneal(optimizer, step, total)` sets the rates of one step."""

    def __call__(self, optimizer: Any, step: int, total: int) -> None: ...


@contextmanager
def annealed(model: nn.Module, schedule: Schedule | None) -> Iterator[Anneal]:
    """Context in which the shares of all `nn.Dropout` of a model, and weight decay, follow a schedule.

    They depend on the number of the step alone, so a run that is resumed has the same ones.

    Args:
        model: its dropout layers have their own shares again afterwards.
        schedule: its factors are those on shares and weight decay; None: nothing changes.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.Dropout)] if schedule is not None else []
    shares = [layer.p for layer in layers]

    def anneal(optimizer: Any, step: int, total: int) -> None:
        if schedule is None:
            return
        factor = schedule.factor(step, total)
        for layer, share in zip(layers, shares, strict=True):
            layer.p = share * factor
        for group in optimizer.param_groups:
            group["weight_decay"] = group["decay"] * factor

    try:
        yield anneal
    finally:
        for layer, share in zip(layers, shares, strict=True):
            layer.p = share

"""Parameter groups and their rates."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from kit.train.optimizers import set_momentum
from kit.train.schedule import warmed
from kit.train.stage import Stage


def parameter_groups(
    model: nn.Module,
    stage: Stage,
    depth: Callable[[str], int | None] | None = None,
    factor: Callable[[str], float] | None = None,
) -> list[dict]:
    """Groups with their own rates: head, encoder with layer-wise decay (Howard & Ruder 2018; Clark et al. 2020).

    Args:
        model: its parameters that require gradients are grouped.
        stage: rates and decays.
        depth: parameter name → steps below the top encoder layer (0 for the top one), None for the head.
            Without it every parameter learns at `lr`.
        factor: parameter name → what its rate is multiplied by.

    Returns:
        Groups for a torch optimizer; those of vectors (norms, biases) have no weight decay.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            below = depth(name) if depth else 0
            rate = (stage.head_lr or stage.lr) if below is None else stage.lr * stage.layer_decay**below
            rate *= factor(name) if factor else 1.0
            groups.setdefault((rate, stage.weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    return [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def set_rates(
    optimizer: torch.optim.Optimizer, stage: Stage, step: int, total: int, scores: Sequence[float] = ()
) -> float:
    """Sets every group's rate, and the momentum where the schedule has a say in it, for a step.

    Returns:
        The share of the peak rates.
    """
    rate = warmed(stage.schedule, step, total, stage.warmup, scores)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * rate
    if (momentum := stage.schedule.momentum(step, total)) is not None:
        set_momentum(optimizer, momentum)
    return rate

"""Parameter groups and their learning rates."""

from collections.abc import Sequence

import torch
from torch import nn

from kit.train.model import answer
from kit.train.optimizers import set_momentum
from kit.train.schedule import warmed
from kit.train.stage import StageSettings


def parameter_groups(model: nn.Module, stage: StageSettings) -> list[dict]:
    """Parameter groups with their own learning rates: the head, and each layer with layer-wise decay.

    Discriminative rates (Howard & Ruder 2018) with one decay factor per layer (Clark et al. 2020).

    Args:
        model: its parameters that require gradients are grouped. If it has `layer_of`, `lr_scale` and `decay_scale`,
            they give the layer of a parameter and factors on its rate and its weight decay, see `kit.train.model`.
        stage: learning rates and decays.

    Returns:
        Groups for a torch optimizer. Vectors (norms, biases) have no weight decay, unless `decay_scale` says so.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            layer = answer(model, "layer_of", name, default=0)
            rate = (stage.head_lr or stage.lr) if layer is None else stage.lr * stage.layer_decay**layer
            rate *= answer(model, "lr_scale", name, default=1.0)
            scale = answer(model, "decay_scale", name)
            decay = stage.weight_decay * (float(weight.ndim > 1) if scale is None else scale)
            groups.setdefault((rate, decay), []).append(weight)
    return [
        {"params": p, "lr": rate, "peak": rate, "weight_decay": decay, "decay": decay}
        for (rate, decay), p in groups.items()
    ]


def set_rates(
    optimizer: torch.optim.Optimizer, stage: StageSettings, step: int, total: int, scores: Sequence[float] = ()
) -> float:
    """Sets the learning rate of every group for a step, and the momentum if the schedule changes it.

    Args:
        optimizer: its groups have a "peak" rate.
        stage: schedule and warmup.
        step: number of the step, from 0.
        total: number of steps of the stage.
        scores: validation scores of the stage's epochs so far.

    Returns:
        The rate as a share of the peak rate.
    """
    rate = warmed(stage.schedule, step, total, stage.warmup, scores)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * rate
    if (momentum := stage.schedule.momentum(step, total)) is not None:
        set_momentum(optimizer, momentum)
    return rate

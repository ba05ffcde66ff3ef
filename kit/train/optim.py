"""AdamW and its parameter groups."""

from collections.abc import Callable

import torch
from torch import nn

from kit.train.stage import Stage


def parameter_groups(model: nn.Module, stage: Stage, depth: Callable[[str], int | None] | None = None) -> list[dict]:
    """Groups with their own rates: head, encoder with layer-wise decay (Howard & Ruder 2018; Clark et al. 2020).

    Args:
        model: its parameters that require gradients are grouped.
        stage: rates and decays.
        depth: parameter name → steps below the top encoder layer (0 for the top one), None for the head.
            Without it every parameter learns at `lr`.

    Returns:
        Groups for a torch optimizer; those of vectors (norms, biases) have no weight decay.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            below = depth(name) if depth else 0
            rate = (stage.head_lr or stage.lr) if below is None else stage.lr * stage.layer_decay**below
            groups.setdefault((rate, stage.weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    return [{"params": p, "lr": rate, "peak": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def adamw(groups: list[dict], stage: Stage) -> torch.optim.Optimizer:
    """torch's AdamW (Loshchilov & Hutter 2019), bias correction always on, as one fused kernel."""
    return torch.optim.AdamW(groups, betas=stage.betas, eps=stage.eps, fused=True)

"""Noise on weights: mixout, Gaussian weight noise, and NoisyTune (noise once, before fine-tuning).

Mixout and weight noise are parametrizations (`torch.nn.utils.parametrize`): while they are on, a layer's `weight` is
called `parametrizations.weight.original` in the state dict. `kit.layers.matrices.unparametrize` restores the old names.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.matrices import matrices, parametrized


class Mixout(nn.Module):
    """In training, replaces random entries of a weight by their pretrained values (Lee et al. 2020).

    The other entries' distance from the pretrained values is divided by 1 − p, so the expectation is the weight itself.

    Args:
        pretrained: the pretrained values; they are copied.
        p: share of entries replaced.
    """

    constant_buffers = ("pretrained",)  # never changes and is as large as the model, so perturbations need no copy
    pretrained: Tensor

    def __init__(self, pretrained: Tensor, p: float) -> None:
        super().__init__()
        self.p = p
        self.register_buffer("pretrained", pretrained.detach().clone())

    def forward(self, weight: Tensor) -> Tensor:
        """(M·w + (1 − M)·u − p·u) / (1 − p), with u the pretrained values, is u + dropout(w − u)."""
        return self.pretrained + F.dropout(weight - self.pretrained, self.p) if self.training else weight


class WeightNoise(nn.Module):
    """In training, adds Gaussian noise to a weight (Graves 2011). Gradients go to the weight without noise.

    Args:
        std: standard deviation of the noise, divided by the standard deviation of the weight's entries.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.std * weight.detach().std() * torch.randn_like(weight) if self.training else weight


def apply_mixout(model: nn.Module, p: float) -> nn.Module:
    """Mixout on every matrix, see `kit.layers.matrices`, towards its present values; gives the model back.

    Call it when pretrained weights are loaded, and on the pretrained part alone: for a fresh head, which has nothing to
    return to, the paper uses dropout.

    Raises:
        KitError: p is not in [0, 1), or the model has no matrix.
    """
    if not 0 <= p < 1:
        raise KitError(f"mixout: p = {p} is not in [0, 1)")
    return _each(model, "mixout", lambda weight: Mixout(weight, p))


def apply_weight_noise(model: nn.Module, std: float) -> nn.Module:
    """Weight noise on every matrix, see `kit.layers.matrices`; gives the model back.

    Raises:
        KitError: std is negative, or the model has no matrix.
    """
    if std < 0:
        raise KitError(f"weight noise: std = {std} is negative")
    return _each(model, "weight noise", lambda weight: WeightNoise(std))


@torch.no_grad()
def noisy_tune(model: nn.Module, lam: float = 0.15) -> nn.Module:
    """NoisyTune (Wu et al. 2022): adds noise to pretrained weights once, before fine-tuning. Returns the model.

    Args:
        model: each of its parameters gets uniform noise between ±lam / 2 times the parameter's standard deviation.
        lam: intensity of the noise.
    """
    for parameter in model.parameters():
        if parameter.numel() > 1:  # a single number has no standard deviation
            parameter.add_((torch.rand_like(parameter) - 0.5) * lam * parameter.std())
    return model


def _each(model: nn.Module, technique: str, change: Callable[[Tensor], nn.Module]) -> nn.Module:
    """The model, each of whose matrices is changed by what `change` makes of it."""
    found = list(matrices(model))
    if not found:
        raise KitError(
            f"{technique} changes matrices, and the {type(model).__name__} has none but tables of embeddings"
        )
    for matrix in found:
        parametrized(matrix, change(matrix.value))
    return model

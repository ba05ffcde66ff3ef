"""Noise on weights: mixout, Gaussian weight noise, and NoisyTune's one shake before fine-tuning.

Mixout and weight noise are parametrizations (`torch.nn.utils.parametrize`): while they are on, a layer's `weight` is
called `parametrizations.weight.original` in the state dict. `unparametrize` gives the old names back.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from kit.spec import KitError


class Mixout(nn.Module):
    """In training, exchanges entries of a weight for their pretrained values, at random (Lee et al. 2020).

    Kept entries move away from the pretrained ones by 1 / (1 − p), so that the expectation is the weight itself.

    Args:
        pretrained: values mixed in; copied.
        p: share of entries exchanged.
    """

    constant_buffers = ("pretrained",)  # as large as the model: not to be copied where buffers are kept as they were
    pretrained: Tensor

    def __init__(self, pretrained: Tensor, p: float) -> None:
        super().__init__()
        self.p = p
        self.register_buffer("pretrained", pretrained.detach().clone())

    def forward(self, weight: Tensor) -> Tensor:
        """(M·w + (1 − M)·u − p·u) / (1 − p), with u the pretrained values, is u + dropout(w − u)."""
        return self.pretrained + F.dropout(weight - self.pretrained, self.p) if self.training else weight


class WeightNoise(nn.Module):
    """In training, adds Gaussian noise to a weight; gradients reach the clean one (Graves 2011).

    Args:
        std: of the noise, in standard deviations of the weight's own entries.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.std * weight.detach().std() * torch.randn_like(weight) if self.training else weight


def apply_mixout(model: nn.Module, p: float) -> nn.Module:
    """Mixout on the weight of each linear layer, towards its present values; gives the model back.

    Call it when pretrained weights are loaded, and on the pretrained part alone: for a fresh head, which has nothing to
    return to, the paper uses dropout.

    Raises:
        KitError: p is not in [0, 1).
    """
    if not 0 <= p < 1:
        raise KitError(f"mixout: p = {p} is not in [0, 1)")
    for layer in _linears(model):
        parametrize.register_parametrization(layer, "weight", Mixout(layer.weight, p))
    return model


def apply_weight_noise(model: nn.Module, std: float) -> nn.Module:
    """Weight noise on each linear layer; gives the model back.

    Raises:
        KitError: std is negative.
    """
    if std < 0:
        raise KitError(f"weight noise: std = {std} is negative")
    for layer in _linears(model):
        parametrize.register_parametrization(layer, "weight", WeightNoise(std))
    return model


def unparametrize(model: nn.Module) -> nn.Module:
    """Ends every parametrization: plain parameters under their old names, with the values that they had in eval mode.

    Parameters stay the same objects, so an optimizer still knows them. Gives the model back.
    """
    for layer in [m for m in model.modules() if parametrize.is_parametrized(m)]:
        for name, parametrization in list(layer.get_submodule("parametrizations").named_children()):
            parametrization.eval()
            parametrize.remove_parametrizations(layer, name)
    return model


@torch.no_grad()
def noisy_tune(model: nn.Module, lam: float = 0.15) -> nn.Module:
    """Shakes pretrained weights once, before they are fine-tuned (Wu et al. 2022); gives the model back.

    Args:
        model: each of its parameters moves by uniform noise in ±lam / 2 of its own standard deviation.
        lam: intensity.
    """
    for parameter in model.parameters():
        if parameter.numel() > 1:  # one number has no deviation
            parameter.add_((torch.rand_like(parameter) - 0.5) * lam * parameter.std())
    return model


def _linears(model: nn.Module) -> list[nn.Linear]:
    return [m for m in model.modules() if isinstance(m, nn.Linear)]

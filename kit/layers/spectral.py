"""Spectral norm: weights divided by their largest singular value, or a penalty on it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from kit.spec import KitError, nearest

MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
WARM = 15  # power iterations before the first step, as in torch's spectral_norm


def spectral_norm(model: nn.Module, names: Sequence[str] | None = None) -> nn.Module:
    """Divides weights by their largest singular value in each forward pass (Miyato et al. 2018); gives the model back.

    A parametrization of torch's: it renames `weight` to `parametrizations.weight.original` in the state dict, until
    `kit.layers.mixout.unparametrize`. A convolution's weight is the matrix (out, in · kernel).

    Args:
        names: linear and convolution layers, as in `model.named_modules()`; all of them by default.

    Raises:
        KitError: no such layer.
    """
    for layer in _layers(model, names).values():
        parametrizations.spectral_norm(layer)
    return model


class SpectralPenalty:
    """Half the sum of squared largest singular values of weights (Yoshida and Miyato 2017).

    One power iteration a call follows a weight as it learns. The vector it goes on from is a buffer `singular` of the
    layer, so that a killed run resumes with it; `remove` before the model is saved for use.

    Args:
        model: gets the buffers.
        names: linear and convolution layers, as in `model.named_modules()`; all of them by default.

    Raises:
        KitError: no such layer.
    """

    def __init__(self, model: nn.Module, names: Sequence[str] | None = None) -> None:
        layers = _layers(model, names)
        self.names = tuple(layers)
        for layer in layers.values():
            weight = _matrix(layer)
            layer.register_buffer("singular", F.normalize(torch.randn_like(weight[0]), dim=0))
            for _ in range(WARM):
                _singular(layer)

    def __call__(self, model: nn.Module) -> Tensor:
        """½ Σ σ², in fp32; its gradient is σ·u·vᵀ for each weight."""
        return torch.stack([_singular(model.get_submodule(name)).square() for name in self.names]).sum() / 2

    def remove(self, model: nn.Module) -> None:
        """Takes the buffers away."""
        for name in self.names:
            del model.get_submodule(name).singular


def _singular(layer: nn.Module) -> Tensor:
    """Largest singular value of a layer's weight, after one power iteration."""
    weight = _matrix(layer)
    with torch.autocast(weight.device.type, enabled=False):
        with torch.no_grad():
            before = layer.get_buffer("singular")
            u = F.normalize(weight @ before, dim=0)
            v = F.normalize(u @ weight, dim=0)
            # a new tensor: an earlier call's gradient may need the old; which stays where the weight is all zeros
            layer.singular = torch.where(v.any(), v, before)
        return u @ weight @ v


def _matrix(layer: nn.Module) -> Tensor:
    """(out, in · kernel) in fp32; a parametrised weight is no parameter, so it is asked for by its name."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.float().flatten(1)


def _layers(model: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Module]:
    known: dict[str, nn.Module] = {name: m for name, m in model.named_modules() if isinstance(m, MATRICES)}
    for name in names or ():
        if name not in known:
            raise KitError(f"no linear or convolution layer is called '{name}'" + nearest(name, list(known)))
    return known if names is None else {name: known[name] for name in names}

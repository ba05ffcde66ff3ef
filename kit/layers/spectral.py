"""Spectral norm: divides weights by their largest singular value, or adds a penalty on it to the loss."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from kit.core.errors import KitError, nearest
from kit.layers.matrices import matrices

MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
WARMUP = 15  # power iterations before the first step, as in torch's spectral_norm


def spectral_norm(model: nn.Module, names: Sequence[str] | None = None) -> nn.Module:
    """Divides weights by their largest singular value in each forward pass (Miyato et al. 2018). Returns the model.

    It is torch's parametrization: in the state dict `weight` is called `parametrizations.weight.original`, until
    `kit.layers.matrices.unparametrize`. The weight of a convolution is read as a matrix (out, in · kernel).

    Args:
        model: changed in place.
        names: linear and convolution layers, as in `model.named_modules()`; all of them by default.

    Raises:
        KitError: there is no such layer, or none at all.
    """
    if not (layers := _layers(model, names)):
        raise KitError(f"spectral norm needs a linear or convolution layer, and the {type(model).__name__} has none")
    for layer in layers.values():
        parametrizations.spectral_norm(layer)
    return model


class SpectralPenalty:
    """Half the sum of the squared largest singular values of weights (Yoshida and Miyato 2017).

    It covers every matrix of the layers, see `kit.layers.matrices`. The weight of a convolution is read as a matrix
    (out, in · kernel), another weight of three dimensions as several matrices. Each call makes one power iteration,
    which is enough to follow a weight while it learns. The iteration's vector is a buffer `singular…` of the layer, so
    a run that was killed and started again goes on from it. Call `remove` before the model is saved for use.

    Args:
        model: its layers get the buffers.
        names: layers that have a matrix, as in `model.named_modules()`; all of them by default.

    Raises:
        KitError: there is no such layer, or no layer has a matrix.
    """

    def __init__(self, model: nn.Module, names: Sequence[str] | None = None) -> None:
        found = list(matrices(model))
        known = {matrix.path for matrix in found}
        for name in names or ():
            if name not in known:
                raise KitError(f"no layer with a matrix is called '{name}'" + nearest(name, list(known)))
        if not found:
            raise KitError(f"a spectral penalty needs matrices, and the {type(model).__name__} has none")
        chosen = [matrix for matrix in found if names is None or matrix.path in names]
        self.places = tuple((matrix.path, matrix.name) for matrix in chosen)
        for layer, name in self._at(model):
            weight = _matrix(layer, name)
            layer.register_buffer(_buffer(name), F.normalize(torch.randn_like(weight[..., 0, :]), dim=-1))
            for _ in range(WARMUP):
                _singular(layer, name)

    def __call__(self, model: nn.Module) -> Tensor:
        """½ Σ σ², a scalar in fp32. The gradient for each weight is σ·u·vᵀ."""
        return torch.stack([_singular(layer, name).square().sum() for layer, name in self._at(model)]).sum() / 2

    def remove(self, model: nn.Module) -> None:
        """Removes the buffers from the layers."""
        for layer, name in self._at(model):
            delattr(layer, _buffer(name))

    def _at(self, model: nn.Module) -> list[tuple[nn.Module, str]]:
        return [(model.get_submodule(path), name) for path, name in self.places]


def _buffer(name: str) -> str:
    return "singular" if name == "weight" else f"singular_{name}"


def _singular(layer: nn.Module, name: str) -> Tensor:
    """Largest singular value of a layer's weight, or of each matrix in it, after one power iteration."""
    weight = _matrix(layer, name)
    with torch.autocast(weight.device.type, enabled=False):
        with torch.no_grad():
            before = layer.get_buffer(_buffer(name))
            u = F.normalize(torch.einsum("...oi,...i->...o", weight, before), dim=-1)
            v = F.normalize(torch.einsum("...oi,...o->...i", weight, u), dim=-1)
            # a new tensor, not in place: the gradient of an earlier call may need the old one.
            # If the weight is all zeros, v is zero too, and the old vector is kept.
            setattr(layer, _buffer(name), torch.where(v.any(-1, keepdim=True), v, before))
        return torch.einsum("...o,...oi,...i->...", u, weight, v)


def _matrix(layer: nn.Module, name: str) -> Tensor:
    """The layer's weight as matrices (…, out, in) in fp32."""
    weight = getattr(layer, name)  # not get_parameter: a parametrised weight is not a parameter
    assert isinstance(weight, Tensor)
    return weight.float().flatten(1) if isinstance(layer, nn.modules.conv._ConvNd) else weight.float()


def _layers(model: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Module]:
    known: dict[str, nn.Module] = {name: m for name, m in model.named_modules() if isinstance(m, MATRICES)}
    for name in names or ():
        if name not in known:
            raise KitError(f"no linear or convolution layer is called '{name}'" + nearest(name, list(known)))
    return known if names is None else {name: known[name] for name in names}

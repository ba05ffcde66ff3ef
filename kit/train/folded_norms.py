"""Batch norms folded into the convolutions before them, for predictions: the same function with fewer passes."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_weights

STATISTICS = ("running_mean", "running_var", "weight", "bias", "eps")  # of a batch norm, also of timm's own ones
PLAIN = ("Conv2d", "Conv2dSame")  # convolutions, of torch and timm, that use their weights as they are
CLOSE = 1e-3  # largest difference, as a share of the largest output


def with_folded_norms(net: Any, inputs: dict[str, Tensor]) -> Any:
    """A copy of a network whose batch norms are folded into convolutions, as far as that changes nothing.

    In evaluation mode a batch norm is a factor and a shift of each channel, so a convolution before it can have them in
    its own weights (Jacob et al. 2018, section 3.2). Which norm reads which convolution is seen in a forward pass. A
    network that cannot be copied or folded so, or whose outputs would differ by more than rounding, is given back as it
    is.

    Args:
        net: in evaluation mode; called as `net(**inputs)`.
        inputs: a few rows.
    """
    if net.training or not any(_is_norm(module) for module in net.modules()):
        return net
    device_type = next(net.parameters()).device.type
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(device_type, enabled=False):
        try:
            folded = copy.deepcopy(net)
            expected, pairs = _pairs(folded, inputs)
            for path, norm, convolution in pairs:
                _fold(convolution, norm)
                folded.set_submodule(path, _rest_of(norm))
            found = folded(**inputs)
        except Exception:  # a user's network may hold, and do, anything
            return net
    same = (found - expected).abs().max() <= CLOSE * expected.abs().max()  # False where one is NaN
    return folded if pairs and bool(same) else net


def _is_norm(module: nn.Module) -> bool:
    return all(getattr(module, name, None) is not None for name in STATISTICS)


def _pairs(net: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, list[tuple[str, Any, nn.Conv2d]]]:
    """The network's output; and path, norm and convolution where a norm reads what a convolution gives, once each."""
    made: list[tuple[nn.Module, Tensor]] = []  # the tensors too, so that no later one takes their place
    read: list[tuple[nn.Module, Any]] = []

    def note(module: nn.Module, given: tuple[Any, ...], found: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            made.append((module, found))
        elif given:
            read.append((module, given[0]))

    hooks = [m.register_forward_hook(note) for m in net.modules() if isinstance(m, nn.Conv2d) or _is_norm(m)]
    found = net(**inputs)
    for hook in hooks:
        hook.remove()
    paths = {module: path for path, module in net.named_modules()}
    source = {id(tensor): module for module, tensor in made}
    calls = [module for module, _ in (*made, *read)]
    pairs = []
    for norm, tensor in read:
        convolution = source.get(id(tensor))
        if isinstance(convolution, nn.Conv2d) and calls.count(norm) == calls.count(convolution) == 1:
            plain = type(convolution).__name__ in PLAIN and not parametrize.is_parametrized(convolution)
            pairs += [(paths[norm], norm, convolution)] if plain else []
    return found, pairs


def _fold(convolution: nn.Conv2d, norm: Any) -> None:
    own, shift = convolution.weight, convolution.bias
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    weight, bias = fuse_conv_bn_weights(
        own.double(), None if shift is None else shift.double(), mean, variance, norm.eps,
        norm.weight.double(), norm.bias.double(),
    )  # fmt: skip
    layout = torch.channels_last if own.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    kept = weight.to(own.dtype).contiguous(memory_format=layout)
    convolution.weight, convolution.bias = nn.Parameter(kept), nn.Parameter(bias.to(own.dtype))


def _rest_of(norm: Any) -> nn.Module:
    """What a norm of timm does after it: drop blocks, an activation."""
    return nn.Sequential(*(getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)))

"""Weights of linear layers laid out as the CPU's bf16 products want them, once a prediction and not once a product."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from kit.train.device import device_of


class PackedLinear:
    """What `forward` of a linear layer does under bf16 autocast, with weights in oneDNN's own layout; the same numbers.

    The layer's weights must not change while this stands in for its forward.
    """

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self.weight: Tensor | None = None  # laid out at the first product: some layers are never asked
        self.bias: Tensor | None = None

    def __call__(self, input: Tensor) -> Tensor:
        autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
        if not autocast or input.dim() < 2 or not input.numel() or input.dtype == torch.float64:
            return nn.functional.linear(input, self.layer.weight, self.layer.bias)
        if self.weight is None:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.layer.weight.bfloat16())
            self.bias = None if self.layer.bias is None else self.layer.bias.bfloat16()
        return torch.ops.mkldnn._linear_pointwise(input.bfloat16(), self.weight, self.bias, "none", [], "")


@contextlib.contextmanager
def prepacked(net: nn.Module) -> Iterator[None]:
    """Context in which the linear layers of a network on the CPU multiply faster under bf16 autocast.

    What inductor's freezing does, without compiling. Only for predictions: no gradient passes, and weights stay as they
    are. Layers that something else has changed (a parametrization, a forward of their own) and compiled networks are
    left alone.
    """
    able = device_of(net).type == "cpu" and _packs() and getattr(net, "_compiled_call_impl", None) is None
    plain = [m for m in net.modules() if type(m) is nn.Linear and "forward" not in vars(m)] if able else []
    for layer in plain:
        layer.forward = PackedLinear(layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in plain:
            del layer.forward


def _packs() -> bool:
    """Whether this build of torch and this CPU have the products (the operators are inductor's, not public ones)."""
    needed = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    return all(hasattr(torch.ops.mkldnn, name) for name in needed) and torch.ops.mkldnn._is_mkldnn_bf16_supported()

"""Faster bf16 linear layers on a CPU: weights are brought into oneDNN's layout once, not in each product."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from kit.train.device import device_of


class PackedLinear:
    """Replaces `forward` of a linear layer under bf16 autocast: the same numbers, but weights in oneDNN's layout.

    The layer's weights must not change while `forward` is replaced.
    """

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self.weight: Tensor | None = None  # converted in the first call: some layers are never called
        self.bias: Tensor | None = None

    def __deepcopy__(self, memo: object) -> "PackedLinear":
        return self  # copies of a network share its weights, see `kit.train.side_by_side`

    def __call__(self, input: Tensor) -> Tensor:
        autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
        if not autocast or input.dim() < 2 or not input.numel() or input.dtype == torch.float64:
            return nn.functional.linear(input, self.layer.weight, self.layer.bias)
        if self.weight is None:
            self.bias = None if self.layer.bias is None else self.layer.bias.bfloat16()
            # last, as other threads look at it
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.layer.weight.bfloat16())
        return torch.ops.mkldnn._linear_pointwise(input.bfloat16(), self.weight, self.bias, "none", [], "")


@contextlib.contextmanager
def packed_linear_layers(net: nn.Module) -> Iterator[None]:
    """Context in which the linear layers of a network on a CPU are faster under bf16 autocast.

    It does what freezing in torch's inductor does, without compiling. Only for predictions: there are no gradients, and
    weights must not change. Compiled networks, and layers with a parametrization or a `forward` of their own, are not
    changed.
    """
    able = device_of(net).type == "cpu" and packs() and getattr(net, "_compiled_call_impl", None) is None
    plain = [m for m in net.modules() if type(m) is nn.Linear and "forward" not in vars(m)] if able else []
    for layer in plain:
        layer.forward = PackedLinear(layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in plain:
            del layer.forward


def packs() -> bool:
    """Whether this build of torch and this CPU have the operators (they are inductor's, and not public)."""
    needed = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    return all(hasattr(torch.ops.mkldnn, name) for name in needed) and torch.ops.mkldnn._is_mkldnn_bf16_supported()

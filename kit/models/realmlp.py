"""RealMLPModule: the perceptron of "Better by Default" (Holzmüller, Grinsztajn & Steinwart 2024)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.layers.heads import Link

ACTIVATIONS = {"selu": F.selu, "mish": F.mish, "relu": F.relu, "silu": F.silu}
SCALE_RATE, SLOPE_RATE, BIAS_RATE, NUMBERS_RATE = 6.0, 0.1, 0.1, 0.1  # factors on the learning rate
POINTS = 5  # inputs whose weighted mean a hidden unit's bias begins at
TINY = 1e-30


class NTPLinear(nn.Module):
    """x W / √inputs + b, with weights of variance 1 (neural tangent parametrisation, Jacot et al. 2018).

    Args:
        inputs: width of the input.
        outputs: width of the output.
        offset: (outputs,) added to the output, not learnt; None: zeros.
    """

    offset: Tensor

    def __init__(self, inputs: int, outputs: int, offset: Tensor | None = None) -> None:
        super().__init__()
        self.factor = 1 / math.sqrt(max(1, inputs))
        self.weight, self.bias = nn.Parameter(torch.randn(inputs, outputs)), nn.Parameter(torch.zeros(outputs))
        self.register_buffer("offset", torch.zeros(outputs) if offset is None else offset.clone())

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) → (n, outputs)."""
        return torch.addmm((self.bias + self.offset).to(x.dtype), x, self.weight.to(x.dtype), alpha=self.factor)

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Weights such that the outputs of some rows have deviation 1; a bias that centres each unit near a row.

        The bias is the negative of a random mean of the unit's own outputs for a few rows ("he+5").

        Args:
            x: (n, inputs) of train rows.
        """
        made = x @ self.weight * self.factor
        if len(x) > 1:
            self.weight.div_(made.std(0, correction=0).clamp(min=TINY)).nan_to_num_(0.0, 0.0, 0.0)
        rows = torch.randint(len(x), (POINTS, self.weight.shape[1]))
        shares = torch.empty(POINTS, self.weight.shape[1]).exponential_()
        chosen = (x @ self.weight * self.factor).gather(0, rows)
        self.bias.copy_(-(chosen * shares).sum(0) / shares.sum(0))

    def lr_scale(self, name: str) -> float:
        """Biases learn slowly."""
        return BIAS_RATE if name.endswith("bias") else 1.0


class EntryScale(nn.Module):
    """A learnt factor on each entry, which begins at 1."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(inputs))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) → the same shape."""
        return x * self.weight


class ParametricLayer(nn.Module):
    """An NTP layer and a parametric activation of its output z: z + slope · (f(z) − z), with slopes of 1 at first.

    Args:
        inputs: width of the input.
        outputs: width of the output.
        activation: name of f: selu, mish, relu or silu.
    """

    def __init__(self, inputs: int, outputs: int, activation: str) -> None:
        super().__init__()
        self.linear, self.slope = NTPLinear(inputs, outputs), nn.Parameter(torch.ones(outputs))
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) → (n, outputs)."""
        z = self.linear(x)
        return torch.lerp(z, self.activation(z), self.slope.to(z.dtype))


class RealMLPModule(nn.Module):
    """A scale of each input, then linear layers in NTP with parametric activations.

    Scales learn six times as fast as weights; slopes, biases and the embeddings of numbers a tenth as fast.

    Args:
        inputs: width of a row's vector.
        hidden: widths of the layers.
        activation: selu, mish, relu or silu.
        dropout: share of features dropped after each layer but the last one in training (the head drops those).
    """

    levels = ("scale", "layers")

    def __init__(self, inputs: int, hidden: Sequence[int], activation: str, dropout: float = 0.0) -> None:
        super().__init__()
        self.scale = EntryScale(inputs)
        widths = zip([inputs, *hidden], hidden, strict=False)
        self.layers = nn.ModuleList(ParametricLayer(a, b, activation) for a, b in widths)
        self.dropout = nn.Dropout(dropout)
        self.num_features: int = hidden[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) → features (n, num_features)."""
        x = self.scale(x)
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else self.dropout(x))
        return x

    @torch.no_grad()
    def initialise(self, x: Tensor) -> Tensor:
        """Initialises each layer with what reaches it of some train rows (n, inputs); gives their features."""
        x = self.scale(x)
        for layer in self.layers:
            own: Any = layer
            own.linear.initialise(x)
            x = own(x)
        return x

    def make_head(self, outputs: int, link: Link, bias: Tensor | None) -> NTPLinear:
        """A linear head in NTP; the log-odds of the labels are added to its output."""
        return NTPLinear(self.num_features, outputs, bias)

    def lr_scale(self, name: str) -> float:
        """Factor on the learning rate of a parameter, by its name in a `TabularModule`."""
        if name.startswith("net.scale."):
            return SCALE_RATE
        if name.startswith("columns.numbers."):
            return NUMBERS_RATE
        return SLOPE_RATE if name.endswith("slope") else BIAS_RATE if name.endswith("bias") else 1.0

    def decay_scale(self, name: str) -> float | None:
        """Factor on the weight decay: that on the rate, also for scales and slopes; biases have none."""
        return 0.0 if name.endswith("bias") and name.startswith("net.") else self.lr_scale(name)

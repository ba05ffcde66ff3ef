"""Embeddings of numbers: each number of a row becomes a vector of its own (Gorishniy, Rubachev & Babenko 2022)."""

import math

import torch
from torch import Tensor, nn


class ColumnLinear(nn.Module):
    """A linear layer for each column: (n, columns, inputs) → (n, columns, outputs)."""

    def __init__(self, columns: int, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(columns, inputs, outputs, fan_in=inputs))
        self.bias = nn.Parameter(_uniform(columns, outputs, fan_in=inputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        product = (x.transpose(0, 1) @ self.weight.to(x.dtype)).transpose(0, 1)
        return product if self.bias is None else product + self.bias


class LinearEmbedding(nn.Module):
    """x · weight + bias with weights of each column: the tokens of FT-Transformer (Gorishniy et al. 2021).

    Args:
        columns: number of columns.
        width: of a number's vector.
        relu: whether ReLU follows.
    """

    def __init__(self, columns: int, width: int, relu: bool = False) -> None:
        super().__init__()
        self.width, self.relu = width, relu
        self.weight = nn.Parameter(_uniform(columns, width, fan_in=width))
        self.bias = nn.Parameter(_uniform(columns, width, fan_in=width))

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, columns) → (n, columns, width)."""
        vectors = torch.addcmul(self.bias, self.weight, numbers[..., None])
        return torch.relu(vectors) if self.relu else vectors


class PiecewiseLinearEncoding(nn.Module):
    """How far a number has come through each bin of its column (Gorishniy et al. 2022, equation 1).

    1 for bins below the number, 0 for those above it, and within its bin the share of the way. The first bin goes on
    below its edge, the last one above it, so no number is cut off.

    A column with fewer bins has zeros between its last bin but one and its last one.

    Args:
        edges: (columns, bins + 1) edges of each column, rising; equal edges count as one. Those of a constant column
            are all equal: it becomes zeros.
    """

    scale: Tensor
    shift: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, edges: Tensor) -> None:
        super().__init__()
        columns, bins = edges.shape[0], edges.shape[1] - 1
        scale, shift = torch.zeros(columns, bins), torch.zeros(columns, bins)
        low, high = torch.zeros(columns, bins), torch.ones(columns, bins)
        for j, column in enumerate(edges.double()):
            own = torch.unique(column)
            if (count := len(own) - 1) < 1:
                continue
            at = [*range(count - 1), bins - 1]
            scale[j, at] = (1 / own.diff()).float()
            shift[j, at] = (-own[:-1] / own.diff()).float()
            low[j, at[0]], high[j, at[-1]] = -torch.inf, torch.inf
        for name, value in (("scale", scale), ("shift", shift), ("low", low), ("high", high)):
            self.register_buffer(name, value)

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, columns) → (n, columns, bins)."""
        return torch.addcmul(self.shift, self.scale, numbers[..., None]).clamp(self.low, self.high)


class PiecewiseLinearEmbedding(nn.Module):
    """A linear embedding plus one of the piecewise-linear encoding, which begins at zero (Gorishniy et al. 2025).

    Args:
        edges: of the bins, see `PiecewiseLinearEncoding`.
        width: of a number's vector.
    """

    def __init__(self, edges: Tensor, width: int) -> None:
        super().__init__()
        self.width = width
        self.linear, self.encoding = LinearEmbedding(len(edges), width), PiecewiseLinearEncoding(edges)
        self.bins = ColumnLinear(len(edges), edges.shape[1] - 1, width, bias=False)
        nn.init.zeros_(self.bins.weight)

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, columns) → (n, columns, width)."""
        return self.linear(numbers) + self.bins(self.encoding(numbers))


class PeriodicEmbedding(nn.Module):
    """Sine and cosine of learnt frequencies, a linear layer, ReLU (Gorishniy et al. 2022, section 3.3).

    Args:
        columns: number of columns.
        frequencies: of each column.
        width: of a number's vector.
        sigma: standard deviation of the first frequencies.
        shared: whether all columns share the linear layer ("lite", Gorishniy et al. 2024).
    """

    def __init__(self, columns: int, frequencies: int, width: int, sigma: float, shared: bool = False) -> None:
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(torch.empty(columns, frequencies))
        nn.init.trunc_normal_(self.weight, std=sigma, a=-3 * sigma, b=3 * sigma)
        inputs = 2 * frequencies
        self.linear: nn.Module = nn.Linear(inputs, width) if shared else ColumnLinear(columns, inputs, width)

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, columns) → (n, columns, width)."""
        angles = 2 * math.pi * self.weight * numbers[..., None]
        return torch.relu(self.linear(torch.cat([angles.cos(), angles.sin()], -1)))


class PBLDEmbedding(nn.Module):
    """Periodic, bias, linear, densenet: cos(2π w x + b) → linear, beside x itself (Holzmüller et al. 2024, section 3).

    Args:
        columns: number of columns.
        frequencies: of each column.
        width: of a number's vector, the number itself included.
        sigma: standard deviation of the first frequencies.
    """

    def __init__(self, columns: int, frequencies: int = 16, width: int = 4, sigma: float = 0.1) -> None:
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(sigma * torch.randn(columns, frequencies))
        self.bias = nn.Parameter(math.pi * (2 * torch.rand(columns, frequencies) - 1))
        self.linear = ColumnLinear(columns, frequencies, width - 1)

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, columns) → (n, columns, width); the last entry of a vector is the number."""
        waves = torch.addcmul(self.bias, 2 * math.pi * self.weight, numbers[..., None]).cos()
        return torch.cat([self.linear(waves), numbers[..., None]], -1)


def _uniform(*shape: int, fan_in: int) -> Tensor:
    return (2 * torch.rand(*shape) - 1) / math.sqrt(max(1, fan_in))

"""Autoencoders of tables: networks that give back the row that they read, through layers that become its features."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kit.models.body import OneBody


class Shape(NamedTuple):
    """The columns of a table as cells: (n, numbers + len(sizes)) fp32, numbers first, NaN where they are missing.

    Attributes:
        numbers: columns of numbers.
        sizes: ids of each column of categories, 0 … size − 1.
    """

    numbers: int
    sizes: tuple[int, ...]

    @property
    def columns(self) -> int:
        """All columns."""
        return self.numbers + len(self.sizes)


class Decoded(NamedTuple):
    """What an autoencoder gives for n rows.

    Attributes:
        cells: (n, numbers + sum of sizes): a value for each number, a logit for each id.
        mask: (n, columns) logits that a cell was changed; None: the network does not say so.
        kl: (n,) divergence of the code from a standard normal distribution in nats; None: there is no such code.
    """

    cells: Tensor
    mask: Tensor | None = None
    kl: Tensor | None = None


class CellInput(nn.Module):
    """Cells → a linear layer of numbers, of which numbers are missing, and of one-hot ids.

    The one-hot columns are never made: the weights of the ids are looked up and summed.
    """

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.shape = shape
        self.bias = nn.Parameter(torch.zeros(width))
        spread = 1 / math.sqrt(max(1, shape.columns))
        self.weight = nn.Parameter(torch.randn(2 * shape.numbers, width) * spread)
        self.table = nn.EmbeddingBag(max(1, sum(shape.sizes)), width, mode="sum") if shape.sizes else None
        if self.table is not None:
            nn.init.normal_(self.table.weight, std=spread)
        starts = torch.tensor([0, *shape.sizes], dtype=torch.int64).cumsum(0)[:-1]
        self.starts: Tensor
        self.register_buffer("starts", starts, persistent=False)

    def forward(self, cells: Tensor) -> Tensor:
        """(n, columns) → (n, width)."""
        numbers = cells[:, : self.shape.numbers]
        known = torch.cat([numbers.nan_to_num(0.0), numbers.isnan().to(cells.dtype)], dim=1)
        x = torch.addmm(self.bias, known, self.weight)
        if self.table is not None:
            x = x + self.table(cells[:, self.shape.numbers :].long() + self.starts)
        return x


class CellOutput(nn.Module):
    """Features of rows → their cells and, where it is asked for, which of them were changed."""

    def __init__(self, shape: Shape, width: int, mask: bool = False) -> None:
        super().__init__()
        self.cells = nn.Linear(width, shape.numbers + sum(shape.sizes))
        self.mask = nn.Linear(width, shape.columns) if mask else None

    def forward(self, features: Tensor, kl: Tensor | None = None) -> Decoded:
        """(n, width) → what the rows hold."""
        return Decoded(self.cells(features), None if self.mask is None else self.mask(features), kl)


class TokenBlock(nn.Module):
    """A block of a Transformer (Vaswani et al. 2017, norm first) on a vector that is read as several tokens."""

    def __init__(self, tokens: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.tokens = tokens
        self.block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens · width) → the same shape."""
        return self.block(x.view(len(x), self.tokens, -1)).flatten(1)


class Autoencoder(nn.Module):
    """Cells → layers, one on the other → cells.

    Args:
        shape: columns.
        layers: what follows the linear layer of the cells, each (n, width) → (n, width).
        widths: of the output of the linear layer, then of each of the layers.
        mask: whether it also says which cells were changed.
        alone: whether each layer has a decoder of its own, to learn alone, see
            `kit.train.objectives.LayerReconstruction`.
    """

    def __init__(
        self, shape: Shape, layers: Sequence[nn.Module], widths: Sequence[int], mask: bool = False, alone: bool = False
    ) -> None:
        super().__init__()
        self.shape, self.widths = shape, tuple(widths[1:])
        self.input = CellInput(shape, widths[0])
        self.layers = nn.ModuleList(layers)
        self.output = CellOutput(shape, widths[-1], mask)
        above = [nn.Linear(b, a) for a, b in pairwise(self.widths)]
        self.decoders = nn.ModuleList([CellOutput(shape, widths[1]), *above] if alone else [])

    def encode(self, cells: Tensor) -> list[Tensor]:
        """(n, columns) → the output of each layer, (n, width)."""
        x, found = self.input(cells), list[Tensor]()
        for layer in self.layers:
            found.append(x := layer(x))
        return found

    def forward(self, cells: Tensor) -> Decoded:
        """(n, columns) → what the rows hold."""
        return self.output(self.encode(cells)[-1])


class VariationalAutoencoder(nn.Module):
    """A code that is drawn from a normal distribution of its own for each row (Kingma & Welling 2014).

    Args:
        shape: columns.
        hidden: widths of the layers of the encoder; the decoder has them in reverse.
        code: width of the code.
    """

    def __init__(self, shape: Shape, hidden: Sequence[int], code: int) -> None:
        super().__init__()
        self.shape, self.widths = shape, (code,)
        self.input = CellInput(shape, hidden[0])
        self.layers = nn.ModuleList(relu_layers(hidden))
        self.mean, self.log_variance = nn.Linear(hidden[-1], code), nn.Linear(hidden[-1], code)
        nn.init.zeros_(self.log_variance.weight)  # the first codes are drawn with variance 1
        nn.init.zeros_(self.log_variance.bias)
        back = [code, *reversed(hidden)]
        self.decoder = nn.Sequential(*(nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(back)))
        self.output = CellOutput(shape, back[-1])

    def code(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """(n, columns) → mean and logarithm of the variance of each code, (n, code)."""
        x = self.input(cells)
        for layer in self.layers:
            x = layer(x)
        return self.mean(x), self.log_variance(x)

    def encode(self, cells: Tensor) -> list[Tensor]:
        """(n, columns) → the means of the codes."""
        return [self.code(cells)[0]]

    def forward(self, cells: Tensor) -> Decoded:
        """(n, columns) → what the rows hold, by a code that is drawn in training, and by its mean otherwise."""
        mean, log_variance = self.code(cells)
        drawn = mean + torch.exp(log_variance / 2) * torch.randn_like(mean) if self.training else mean
        return self.output(self.decoder(drawn), kl_to_standard_normal(mean, log_variance))


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(n,) divergence KL(N(mean, variance) ‖ N(0, 1)) in nats, summed over (n, code); Kingma & Welling, appendix B."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)


def relu_layers(widths: Sequence[int]) -> list[nn.Module]:
    """Layers with ReLU: the first is the ReLU of a linear layer that stands before it."""
    linear = [nn.Linear(a, b) for a, b in pairwise(widths)]
    for layer in linear:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return [nn.ReLU(), *(nn.Sequential(layer, nn.ReLU()) for layer in linear)]


class AutoencoderBody(OneBody):
    """The encoder of an autoencoder, as the body of a network that learns labels.

    Args:
        model: an autoencoder, trained or new. Its decoder is not kept.
    """

    def __init__(self, model: "Autoencoder | VariationalAutoencoder") -> None:
        super().__init__()
        for unused in ("output", "decoder", "decoders"):
            if hasattr(model, unused):
                delattr(model, unused)
        self.model = model
        self.num_features: int = model.widths[-1]
        self.pretrained: list[nn.Module] = [model]
        self.features_are_fixed = not any(isinstance(m, nn.Dropout) and m.p for m in model.modules())

    @property
    def embeddings(self) -> nn.Module:
        """The linear layer of the cells."""
        return self.model.input

    def forward(self, cells: Tensor) -> Tensor:
        """(n, columns) → (n, num_features) of the last layer."""
        return self.model.encode(cells)[-1]

    def layer_of(self, name: str) -> int:
        """0 for the last layer (of a variational one, its means); the linear layer of the cells is the deepest."""
        depth = len(self.model.layers)
        if name.startswith("model.layers."):
            return depth - 1 - int(name.split(".")[2])
        return depth if name.startswith("model.input.") else 0

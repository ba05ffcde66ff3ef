"""ConcatModule: several bodies read the same row; their features are concatenated."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kit.core.errors import KitError
from kit.models.body import Body


class ConcatModule(nn.Module):
    """Concatenates the features of several bodies.

    Args:
        parts: the bodies, see `kit.models.body`.
        rates: factor on the learning rate of each part. A part with factor 0 is frozen.
        may_lack: which parts cannot read some rows, such as pictures that do not open. There their features are the
            mean of the others': in training of the batch, later of the train rows, see `settle`. Empty: none.
    """

    def __init__(self, parts: Sequence[Body], rates: Sequence[float] = (), may_lack: Sequence[bool] = ()) -> None:
        super().__init__()
        modules: Any = parts
        self.parts: Any = nn.ModuleList(modules)
        self.rates = tuple(rates) or (1.0,) * len(parts)
        self.num_features: int = sum(part.num_features for part in parts)
        for part, rate in zip(self.parts, self.rates, strict=True):
            if not rate:
                part.requires_grad_(False)
        lacking = [i for i, may in enumerate(may_lack) if may]
        self.means = nn.ModuleDict({str(i): MeanFeatures(parts[i].num_features) for i in lacking})

    @property
    def pretrained(self) -> list[nn.Module]:
        """Modules with pretrained weights, without those of frozen parts."""
        return [m for part, rate in zip(self.parts, self.rates, strict=True) if rate for m in part.pretrained]

    @property
    def features_are_fixed(self) -> bool:
        """Whether the features of all parts, once frozen, are the same in every step."""
        return all(part.features_are_fixed for part in self.parts)

    @property
    def embeddings(self) -> nn.Module:
        """Not available.

        Raises:
            KitError: always, as each part has its own embeddings.
        """
        raise KitError("Concat has an embedding in each part: perturb, noise and mix need a member with one")

    def forward(self, **inputs: Tensor) -> Tensor:
        """The inputs of all parts, those of part i with the prefix `part<i>_` → features (n, num_features).

        `part<i>_readable` (n,) bool says which rows the part can read; without it, all.
        """
        return torch.cat([self._features(i, _own(inputs, i)) for i in range(len(self.parts))], dim=1)

    def _features(self, i: int, own: dict[str, Tensor]) -> Tensor:
        """Features of one part: only rows that it can read go through it, so no norm counts the others."""
        readable = own.pop("readable", None)
        if readable is None or str(i) not in self.means:
            return self.parts[i](**own).float()
        means: Any = self.means[str(i)]
        found = means.mean.new_zeros(len(readable), len(means.mean))
        if readable.any():
            seen = self.parts[i](**{name: value[readable] for name, value in own.items()}).float()
            found = found.index_put((readable,), seen)
        return means(found, readable)

    @torch.no_grad()
    def settle(self, batches: Callable[[], Iterable[dict[str, Tensor]]]) -> None:
        """Takes the mean features of the parts that may lack a row, by which such rows are predicted.

        Args:
            batches: gives inputs of train rows, as `forward` takes them, each time that it is called.
        """
        for i, part in enumerate(self.parts):
            if isinstance(part, ConcatModule):
                part.settle(partial(_read_by, i, batches))
            if str(i) in self.means:
                means: Any = self.means[str(i)]
                means.take(part(**own) for own in _read_by(i, batches) if len(next(iter(own.values()))))

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter within its part."""
        number, rest = _within(name)
        return self.parts[number].layer_of(rest)

    def part_of(self, name: str) -> tuple[int, ...]:
        """The number of the parameter's part, followed by the part's own `part_of`."""
        number, rest = _within(name)
        return (number, *self.parts[number].part_of(rest))

    def lr_scale(self, name: str) -> float:
        """The rate of the part, times the part's own `lr_scale`."""
        number, rest = _within(name)
        return self.rates[number] * self.parts[number].lr_scale(rest)

    def decay_scale(self, name: str) -> float | None:
        """That of the part."""
        number, rest = _within(name)
        return self.parts[number].decay_scale(rest)

    def prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Padded batches unchanged."""
        return inputs


class MeanFeatures(nn.Module):
    """Mean features in place of those that are missing.

    Args:
        width: of the features.
    """

    mean: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        """Features (n, width), (n,) bool whether a row has them → features of all rows."""
        kept, mean = there[:, None], self.mean
        if self.training and there.any():
            mean = (features.detach() * kept).sum(0) / there.sum()
        return torch.where(kept, features, mean)

    def take(self, features: Iterable[Tensor]) -> None:
        """Takes the mean of batches of features (n, width)."""
        total, count = self.mean.double() * 0, 0
        for some in features:
            total, count = total + some.double().sum(0), count + len(some)
        if count:
            self.mean.copy_(total / count)


def _own(inputs: dict[str, Tensor], i: int) -> dict[str, Tensor]:
    """The inputs of part i by its own names."""
    prefix = f"part{i}_"
    return {name.removeprefix(prefix): value for name, value in inputs.items() if name.startswith(prefix)}


def _read_by(i: int, batches: Callable[[], Iterable[dict[str, Tensor]]]) -> Iterator[dict[str, Tensor]]:
    """The inputs of part i, of the rows that it can read."""
    for inputs in batches():
        own = _own(inputs, i)
        readable = own.pop("readable", None)
        yield own if readable is None else {name: value[readable] for name, value in own.items()}


def _within(name: str) -> tuple[int, str]:
    """The number of the parameter's part, and the parameter's name within the part."""
    _, number, rest = name.split(".", 2)
    return int(number), rest

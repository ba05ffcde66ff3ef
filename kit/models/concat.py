"""ConcatModule: several bodies read the same row; their features are concatenated."""

from collections.abc import Sequence
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
    """

    def __init__(self, parts: Sequence[Body], rates: Sequence[float] = ()) -> None:
        super().__init__()
        modules: Any = parts
        self.parts: Any = nn.ModuleList(modules)
        self.rates = tuple(rates) or (1.0,) * len(parts)
        self.num_features: int = sum(part.num_features for part in parts)
        for part, rate in zip(self.parts, self.rates, strict=True):
            if not rate:
                part.requires_grad_(False)

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
        """The inputs of all parts, those of part i with the prefix `part<i>_` → features (n, num_features)."""
        found = []
        for i, part in enumerate(self.parts):
            own = f"part{i}_"
            found.append(part(**{k.removeprefix(own): v for k, v in inputs.items() if k.startswith(own)}).float())
        return torch.cat(found, dim=1)

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

    def prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Padded batches unchanged."""
        return inputs


def _within(name: str) -> tuple[int, str]:
    """The number of the parameter's part, and the parameter's name within the part."""
    _, number, rest = name.split(".", 2)
    return int(number), rest

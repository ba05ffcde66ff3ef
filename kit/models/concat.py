"""Several bodies read the same row; their features stand side by side."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kit.spec import KitError


class Concat(nn.Module):
    """Bodies side by side: features of the first, then of the second, and so on.

    Args:
        parts: bodies as `kit.models.Headed` takes them.
        rates: factor on the learning rate of each part; one of 0 stays as it is.
    """

    def __init__(self, parts: Sequence[Any], rates: Sequence[float] = ()) -> None:
        super().__init__()
        self.parts: Any = nn.ModuleList(parts)
        self.rates = tuple(rates) or (1.0,) * len(parts)
        self.width: int = sum(part.width for part in parts)
        for part, rate in zip(parts, self.rates, strict=True):
            if not rate:
                part.requires_grad_(False)

    @property
    def pretrained(self) -> list[nn.Module]:
        """Modules whose weights were learnt before, those that stay as they are left out."""
        return [m for part, rate in zip(self.parts, self.rates, strict=True) if rate for m in part.pretrained]

    @property
    def features_are_fixed(self) -> bool:
        """Whether every part's features are the same at every step, once it is frozen."""
        return all(part.features_are_fixed for part in self.parts)

    @property
    def embedding(self) -> nn.Module:
        """There is no single one."""
        raise KitError("Concat has an embedding in each part: perturb, noise and mix need a member with one")

    def forward(self, **inputs: Tensor) -> Tensor:
        """Inputs of every part, their names behind `part<i>_` → features (n, width)."""
        found = []
        for i, part in enumerate(self.parts):
            own = f"part{i}_"
            found.append(part(**{k.removeprefix(own): v for k, v in inputs.items() if k.startswith(own)}).float())
        return torch.cat(found, dim=1)

    def depth(self, name: str) -> int | None:
        """Layers above a parameter within its part."""
        number, rest = _within(name)
        return self.parts[number].depth(rest)

    def part(self, name: str) -> tuple[int, ...]:
        """Number of the part that a parameter belongs to, then that within the part, where this too is joined."""
        number, rest = _within(name)
        inner = getattr(self.parts[number], "part", None)
        return (number, *(inner(rest) if inner else ()))

    def factor(self, name: str) -> float:
        """Factor on a parameter's learning rate."""
        number, rest = _within(name)
        inner = getattr(self.parts[number], "factor", None)  # of a part that is itself joined
        return self.rates[number] * (inner(rest) if inner else 1.0)


def _within(name: str) -> tuple[int, str]:
    """Number of the part that a parameter belongs to, and its name there."""
    _, number, rest = name.split(".", 2)
    return int(number), rest

"""Projected: a body with a small network on its vectors, which learns along and is then dropped."""

from typing import Any

from torch import Tensor, nn


class Projected(nn.Module):
    """body → linear → tanh, or the body alone (Gao et al. 2021 use such a layer in training only).

    Args:
        body: the body, see `kit.models.body`.
        width: of the layer; 0: there is none.
    """

    def __init__(self, body: Any, width: int = 0) -> None:
        super().__init__()
        self.body: Any = body
        layer = nn.Sequential(nn.Linear(body.num_features, width), nn.Tanh()) if width else nn.Identity()
        self.projection: nn.Module = layer

    @property
    def embeddings(self) -> nn.Module:
        """The body's embeddings, see `kit.models.body`."""
        return self.body.embeddings

    def forward(self, **inputs: Tensor) -> Tensor:
        """The body's inputs → vectors (n, width)."""
        return self.projection(self.body(**inputs))

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter in the body; None for the projection."""
        return self.body.layer_of(name.removeprefix("body.")) if name.startswith("body.") else None

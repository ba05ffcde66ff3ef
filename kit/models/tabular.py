"""TabularModule: the columns of a row → one vector or tokens → a network."""

from typing import Any

from torch import Tensor, nn

from kit.models.body import OneBody
from kit.models.levels import height, levels_of


class TabularModule(OneBody):
    """A network of a table's columns.

    Args:
        columns: numbers and ids of categories → what the network reads: `ColumnVector` or `ColumnTokens`.
        net: that → features (n, net.num_features). For its layers see `kit.models.levels`. If it has them, its
            `lr_scale` and `decay_scale` are used, and its `make_head`, see `kit.models.Headed`.
    """

    def __init__(self, columns: nn.Module, net: Any) -> None:
        super().__init__()
        self.columns, self.net = columns, net
        self.num_features: int = net.num_features
        self.pretrained: list[nn.Module] = []
        self.features_are_fixed = True
        self._levels = levels_of(net)

    @property
    def embeddings(self) -> nn.Module:
        """The columns; perturbations shift what they give."""
        return self.columns

    @property
    def make_head(self) -> Any:
        """The network's own head, see `kit.models.Headed`; None if it has none."""
        return getattr(self.net, "make_head", None)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Numbers (n, k), NaN where one is missing, and ids (n, categorical columns) → features (n, num_features)."""
        return self.net(self.columns(numbers, categories))

    def layer_of(self, name: str) -> int | None:
        """The layer of a parameter, by its name. 0: the top layer; the highest number: the columns."""
        if name.startswith("columns."):
            return len(self._levels)
        return len(self._levels) - 1 - height(self._levels, name.removeprefix("net."))

    def lr_scale(self, name: str) -> float:
        return float(self.net.lr_scale(name)) if hasattr(self.net, "lr_scale") else 1.0

    def decay_scale(self, name: str) -> float | None:
        return self.net.decay_scale(name) if hasattr(self.net, "decay_scale") else None

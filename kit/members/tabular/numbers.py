"""How networks of tables embed numbers: settings. Each builds a module of `kit.layers.numbers`."""

from abc import abstractmethod
from typing import Any

import numpy as np
from pydantic import Field

from kit.core.spec import Spec


class NumberEmbedding(Spec):
    """How each number of a row becomes a vector."""

    width: int = Field(8, ge=1, description="width of a number's vector")

    @abstractmethod
    def build(self, columns: int, numbers: np.ndarray | None) -> Any:
        """The module: (n, columns) → (n, columns, width).

        Args:
            columns: number of numeric columns.
            numbers: (n, columns) scaled numbers of train rows, NaN where one is missing; None: the module's weights
                come from a file.
        """


class LinearNumbers(NumberEmbedding):
    """A weight and a bias for each entry of each column's vector (Gorishniy et al. 2021)."""

    relu: bool = Field(False, description="whether ReLU follows")

    def build(self, columns: int, numbers: np.ndarray | None) -> Any:
        from kit.layers import numbers as layers

        return layers.LinearEmbedding(columns, self.width, self.relu)


class PiecewiseLinear(NumberEmbedding):
    """Linear within bins whose edges are quantiles of the train rows (Gorishniy et al. 2022 and 2025)."""

    bins: int = Field(48, ge=2, description="largest number of bins of a column")

    def build(self, columns: int, numbers: np.ndarray | None) -> Any:
        import torch

        from kit.layers import numbers as layers

        edges = torch.zeros(columns, self.bins + 1) if numbers is None else torch.tensor(self.edges(numbers))
        return layers.PiecewiseLinearEmbedding(edges, self.width)

    def edges(self, numbers: np.ndarray) -> np.ndarray:
        """(columns, bins + 1) float32, quantiles of (n, columns) numbers; NaN does not count."""
        edges = np.zeros((numbers.shape[1], self.bins + 1), np.float32)
        for j, column in enumerate(numbers.T):
            known = column[~np.isnan(column)]
            if len(known):
                edges[j] = np.quantile(known, np.linspace(0, 1, self.bins + 1))
        return edges


class Periodic(NumberEmbedding):
    """Sine and cosine of learnt frequencies, a linear layer, ReLU (Gorishniy et al. 2022)."""

    width: int = Field(24, ge=1, description="width of a number's vector")
    frequencies: int = Field(48, ge=1, description="frequencies of each column")
    sigma: float = Field(0.05, gt=0, description="standard deviation of the first frequencies; worth a search")
    shared: bool = Field(False, description="one linear layer for all columns")

    def build(self, columns: int, numbers: np.ndarray | None) -> Any:
        from kit.layers import numbers as layers

        return layers.PeriodicEmbedding(columns, self.frequencies, self.width, self.sigma, self.shared)


class PBLD(NumberEmbedding):
    """Cosines with learnt phases, a linear layer, and the number itself (Holzmüller et al. 2024)."""

    width: int = Field(4, ge=2, description="width of a number's vector, the number itself included")
    frequencies: int = Field(16, ge=1, description="frequencies of each column")
    sigma: float = Field(0.1, gt=0, description="standard deviation of the first frequencies; worth a search")

    def build(self, columns: int, numbers: np.ndarray | None) -> Any:
        from kit.layers import numbers as layers

        return layers.PBLDEmbedding(columns, self.frequencies, self.width, self.sigma)

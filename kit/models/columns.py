"""Columns become vectors: numbers and categories of a row → one vector, or one token a column."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Categories(nn.Module):
    """A vector for each value of a categorical column; what is missing or unknown (id 0) begins as zeros.

    Args:
        counts: number of values of each column; the id 0 counts as one.
        width: of a vector.
    """

    def __init__(self, counts: Sequence[int], width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, width) for count in counts)
        tables: Any = self.tables
        with torch.no_grad():
            for table in tables:
                table.weight[0] = 0

    def forward(self, ids: Sequence[Tensor]) -> list[Tensor]:
        """Ids (n,) of each column → vectors (n, width) of each column."""
        return [table(column) for table, column in zip(self.tables, ids, strict=True)]


class FilledNumbers(nn.Module):
    """Embeds numbers; a missing one (NaN) has a vector of its own for each column, which is learnt.

    Args:
        columns: number of columns.
        embedding: numbers (n, columns) → (n, columns, width), with an attribute `width`.
    """

    def __init__(self, columns: int, embedding: Any) -> None:
        super().__init__()
        self.embedding, self.missing = embedding, nn.Parameter(torch.zeros(columns, embedding.width))

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, columns), NaN where one is missing → (n, columns, width)."""
        missing = torch.isnan(numbers)
        vectors = self.embedding(numbers.masked_fill(missing, 0))
        return torch.where(missing[..., None], self.missing.to(vectors.dtype), vectors)


class ColumnVector(nn.Module):
    """All columns of a row as one vector.

    Numbers are embedded, or stay as they are: then a missing one is 0, and columns in which numbers are missing have an
    indicator. A category is one-hot, or a learnt vector.

    Args:
        numbers: number of numeric columns.
        categories: number of values of each categorical column; the id 0 (missing or unknown) counts as one.
        embedding: of the numbers, see `FilledNumbers`; None: none.
        width: of a category's vector.
        one_hot: columns with at most so many values, the missing one not counted, are one-hot; the id 0 is all zeros.
        gaps: numeric columns in which numbers are missing.
    """

    def __init__(
        self,
        numbers: int,
        categories: Sequence[int],
        embedding: Any = None,
        width: int = 8,
        one_hot: int = 0,
        gaps: Sequence[int] = (),
    ) -> None:
        super().__init__()
        few = [count - 1 <= one_hot for count in categories]
        self.numbers = FilledNumbers(numbers, embedding) if embedding is not None and numbers else None
        self.hot = [(i, count) for i, count in enumerate(categories) if few[i]]
        self.others = [i for i in range(len(categories)) if not few[i]]
        self.categories = Categories([categories[i] for i in self.others], width)
        self.gaps = list(gaps) if self.numbers is None else []
        each = 1 if self.numbers is None else embedding.width
        hot = [count - 1 for _, count in self.hot if count > 1]
        #: widths of the parts of the vector that belong to one column each
        self.chunks: list[int] = [each] * numbers + [1] * len(self.gaps) + hot + [width] * len(self.others)
        self.width = sum(self.chunks)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Numbers (n, numbers), NaN where one is missing, and ids (n, categorical columns) → (n, width)."""
        if self.numbers is not None:
            parts = [self.numbers(numbers).flatten(1)]
        else:
            missing = torch.isnan(numbers)
            parts = [numbers.masked_fill(missing, 0)]
            parts += [missing[:, i : i + 1].to(numbers.dtype) for i in self.gaps]
        parts += [F.one_hot(categories[:, i], count)[:, 1:].to(numbers.dtype) for i, count in self.hot]
        parts += self.categories([categories[:, i] for i in self.others])
        return torch.cat(parts, dim=1)


class ColumnTokens(nn.Module):
    """A token for each column, as a Transformer reads words (Gorishniy et al. 2021, figure 2a).

    Args:
        numbers: number of numeric columns.
        categories: as in `ColumnVector`.
        embedding: of the numbers, whose width is that of a token.
        width: of a token.
    """

    def __init__(self, numbers: int, categories: Sequence[int], embedding: Any, width: int) -> None:
        super().__init__()
        self.numbers = FilledNumbers(numbers, embedding) if numbers else None
        self.categories = Categories(categories, width)
        self.bias = nn.Parameter(torch.empty(len(categories), width).uniform_(-(width**-0.5), width**-0.5))
        tables: Any = self.categories.tables
        with torch.no_grad():
            for table in tables:
                table.weight[1:].uniform_(-(width**-0.5), width**-0.5)
        self.width, self.count = width, numbers + len(categories)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Numbers (n, numbers), NaN where one is missing, and ids (n, categorical columns) → (n, count, width)."""
        parts = [] if self.numbers is None else [self.numbers(numbers)]
        if len(self.bias):
            parts.append(torch.stack(self.categories(categories.unbind(1)), dim=1) + self.bias)
        return torch.cat(parts, dim=1)

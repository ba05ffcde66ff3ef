"""What reads rows for a Perceptron: scales of numbers, lists of categories."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn

from kit.data import Rows
from kit.files import read_json, write_json
from kit.members.columns import Columns
from kit.members.perceptron import Perceptron
from kit.members.reading import Reader
from kit.models import perceptron

FARTHEST = 5.0  # standard deviations; what lies farther is moved there


@dataclass(frozen=True)
class ColumnInputs:
    """Numbers (n, k) and category ids (n, c) of all rows known."""

    numbers: np.ndarray
    categories: np.ndarray

    @property
    def length(self) -> np.ndarray:
        """(n,) ones."""
        return np.ones(len(self.numbers), dtype=np.int64)

    def padded(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        """The rows' numbers and categories."""
        return {name: torch.from_numpy(getattr(self, name)[rows]) for name in ("numbers", "categories")}

    def key(self, row: int) -> bytes:
        """Equal for equal rows."""
        return self.numbers[row].tobytes() + self.categories[row].tobytes()


class ColumnReader(Reader):
    """Rows as standardised numbers and ids of categories.

    Args:
        spec: features and widths.
        columns: categories of the train rows.
        center: (k,) medians of the numeric columns.
        scale: (k,) their standard deviations, 1 for constant ones.
    """

    def __init__(self, spec: Perceptron, columns: Columns, center: np.ndarray, scale: np.ndarray) -> None:
        self.spec, self.columns, self.center, self.scale = spec, columns, center, scale

    @classmethod
    def learnt(cls, spec: Perceptron, rows: Rows) -> Self:
        """Scales and categories of the train rows."""
        columns = Columns.of(rows)
        frame = columns.frame(rows, spec.described(rows.task))
        numbers = frame.select_dtypes("number").astype(np.float64)
        scale = numbers.std(ddof=0).fillna(0).to_numpy()
        return cls(spec, columns, numbers.median().fillna(0).to_numpy(), np.where(scale > 0, scale, 1.0))

    @classmethod
    def saved(cls, spec: Perceptron, folder: Path) -> Self:
        """The reader that `save` wrote."""
        facts = read_json(folder / "columns.json")
        return cls(spec, Columns(facts["categories"]), np.array(facts["center"]), np.array(facts["scale"]))

    def save(self, folder: Path, body: nn.Module) -> None:
        facts = {"center": self.center.tolist(), "scale": self.scale.tolist(), "categories": self.columns.categories}
        write_json(folder / "columns.json", facts)

    def inputs(self, rows: Rows) -> ColumnInputs:
        whole = Rows(rows.task, rows.source, np.arange(len(rows.source.frame)))
        frame = self.columns.frame(whole, self.spec.described(rows.task))
        kinds = frame.select_dtypes("category")
        numbers = (frame.drop(columns=kinds.columns).to_numpy(np.float64) - self.center) / self.scale
        codes = [kinds[c].cat.codes.to_numpy() + 1 for c in kinds]
        return ColumnInputs(
            np.nan_to_num(numbers, nan=0.0).clip(-FARTHEST, FARTHEST).astype(np.float32),
            np.stack(codes, axis=1).astype(np.int64) if codes else np.zeros((len(frame), 0), dtype=np.int64),
        )

    def body(self) -> perceptron.Perceptron:
        sizes = [len(values) + 1 for values in self.columns.categories.values()]
        spec = self.spec
        return perceptron.Perceptron(len(self.center), sizes, spec.hidden, spec.category_width, spec.dropout)

    def blank(self) -> perceptron.Perceptron:
        return self.body()

"""BuildInputs: the argument of `Module.build`; it describes the inputs of the network."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BuildInputs:
    """The argument of `Module.build`.

    Attributes:
        outputs: columns of the prediction; the network gives logits (n, outputs).
        kind: of the task: binary, multilabel, multiclass or regression (targets of mean 0 and variance 1).
        numbers: numeric inputs, standardised, with statistics of the text columns among them.
        categories: values of each categorical column, 0 for what is missing or unknown counted.
        dataset: what makes the tensors; one of your own may say more.
    """

    outputs: int
    kind: str
    numbers: int
    categories: tuple[int, ...]
    dataset: Any

    @property
    def width(self) -> int:
        """Width of the one tensor that a network with a single argument is given: numbers, then categories one-hot."""
        return self.numbers + sum(self.categories)

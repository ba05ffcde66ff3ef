"""Contrast of vectors against the formulas of its papers, term by term."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kit.train.objectives import DropoutContrast


class Twice(nn.Module):
    """Gives one table of vectors at the first call, another at the second."""

    def __init__(self, *tables: Tensor) -> None:
        super().__init__()
        self.tables, self.calls = tables, 0
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, **inputs: Any) -> Tensor:
        self.calls += 1
        return self.weight * self.tables[(self.calls - 1) % len(self.tables)]


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_dropout_contrast_is_the_papers_formula(temperature: float) -> None:
    torch.manual_seed(0)
    first, second = torch.randn(5, 3), torch.randn(5, 3)
    number = torch.tensor([[0.0], [1], [2], [1], [3]])  # rows 1 and 3 are equal
    naive = 0.0
    for i in range(5):
        negatives = [j for j in range(5) if j == i or number[j] != number[i]]
        scores = {j: math.exp(cosine(first[i], second[j]) / temperature) for j in negatives}
        naive -= math.log(scores[i] / sum(scores.values()))
    step = DropoutContrast(temperature)(Twice(first, second), {"inputs": {}, "y": number})
    assert step.loss.item() == pytest.approx(naive, rel=1e-5)

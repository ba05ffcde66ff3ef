"""Contrast of the vectors of a batch: rows that belong together should be near, all others far."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from kit.train.objective import Batch, Step


@dataclass(frozen=True)
class DropoutContrast:
    """Unsupervised SimCSE (Gao et al. 2021): a row read twice, with two dropout masks, is nearer to itself than others.

    The loss of row i is −log exp(sim(hᵢ, hᵢ⁺)/τ) / Σⱼ exp(sim(hᵢ, hⱼ⁺)/τ), where sim is the cosine of two vectors.
    `batch["y"]` (n, 1) numbers the rows; rows of one number are equal, and none of them is another's negative.

    Attributes:
        temperature: τ.
    """

    temperature: float = 0.05

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        inputs, number = batch["inputs"], batch["y"][:, 0]
        first, second = F.normalize(model(**inputs).float(), dim=1), F.normalize(model(**inputs).float(), dim=1)
        logits = first @ second.T / self.temperature
        own = torch.eye(len(number), dtype=torch.bool, device=logits.device)
        twins = (number[:, None] == number) & ~own
        losses = -logits.masked_fill(twins, -torch.inf).log_softmax(1).diagonal()
        return Step(losses.sum(), first)

"""Fixed features: what a frozen encoder says of each row, computed once for a stage that trains the head alone."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kit.train.course import Batches
from kit.train.device import autocast, device_of
from kit.train.objective import to_device
from kit.train.stage import Stage


class FixedFeatures:
    """Batches whose inputs are features, computed in the first epoch's batches and kept on the CPU.

    Args:
        batches: of inputs.
        model: has `features(**inputs)`, (n, width), and takes them as `model(features=…)`.
        precision: what the encoder computes in.
    """

    def __init__(self, batches: Batches, model: Any, precision: str) -> None:
        self.batches, self.model, self.precision = batches, model, precision
        self.kept: Tensor | None = None
        self.known = np.zeros(0, dtype=bool)

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.batches.plan(epoch)

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        batch = self.batches[rows]
        if self.kept is None or max(rows) >= len(self.known) or not self.known[rows].all():
            self._compute(batch, rows)
        assert self.kept is not None
        return {**batch, "inputs": {"features": self.kept[torch.from_numpy(rows)]}}

    @torch.no_grad()
    def _compute(self, batch: dict[str, Any], rows: np.ndarray) -> None:
        device = device_of(self.model)
        with autocast(device, self.precision):
            found = self.model.features(**to_device(batch["inputs"], device)).float().cpu()
        if (more := int(max(rows)) + 1 - len(self.known)) > 0:
            grown = found.new_zeros(more, found.shape[1])
            self.kept = grown if self.kept is None else torch.cat([self.kept, grown])
            self.known = np.concatenate([self.known, np.zeros(more, dtype=bool)])
        assert self.kept is not None
        self.kept[torch.from_numpy(rows)] = found
        self.known[rows] = True


def with_fixed_features(batches: Batches, model: nn.Module, stage: Stage) -> Batches:
    """The batches, as fixed features where the stage leaves them fixed and the model can tell and take them."""
    can = stage.features_are_fixed and getattr(model, "features_are_fixed", False)
    return FixedFeatures(batches, model, stage.precision) if can else batches

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
    """Batches whose inputs are features, computed once and kept on the CPU.

    A row's features hang, in their last bits, on the batch that they are computed in. That is the first one of the
    stage to hold the row, whichever asks for it, so that a run resumed in a later epoch finds the same bits.

    Args:
        batches: of inputs.
        model: has `features(**inputs)`, (n, width), and takes them as `model(features=…)`.
        precision: what the encoder computes in.
        order: the stage's batches, the first one first.
    """

    def __init__(self, batches: Batches, model: Any, precision: str, order: list[np.ndarray]) -> None:
        self.batches, self.model, self.precision = batches, model, precision
        self.order = order
        self.home = np.full(1 + max(int(max(rows)) for rows in order), -1)  # the first batch that holds a row
        for number in reversed(range(len(order))):
            self.home[order[number]] = number
        self.kept: Tensor | None = None
        self.known = np.zeros(len(self.home), dtype=bool)

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.batches.plan(epoch)

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        batch = self.batches[rows]
        for number in np.unique(self.home[rows[~self.known[rows]]]):
            home = self.order[number]
            found = self._features(home, batch if np.array_equal(home, rows) else self.batches[home])
            if self.kept is None:
                self.kept = found.new_zeros(len(self.known), found.shape[1])
            own = self.home[home] == number  # not those that an earlier batch held too
            self.kept[torch.from_numpy(home[own])] = found[torch.from_numpy(own)]
            self.known[home[own]] = True
        assert self.kept is not None
        return {**batch, "inputs": {"features": self.kept[torch.from_numpy(rows)]}}

    @torch.no_grad()
    def _features(self, rows: np.ndarray, batch: dict[str, Any]) -> Tensor:
        device, half = device_of(self.model), len(rows) // 2
        try:
            with autocast(device, self.precision):
                return self.model.features(**to_device(batch["inputs"], device)).float().cpu()
        except torch.cuda.OutOfMemoryError:
            if not half:
                raise
        return torch.cat([self._features(part, self.batches[part]) for part in (rows[:half], rows[half:])])


def with_fixed_features(batches: Batches, model: nn.Module, stage: Stage, order: list[np.ndarray]) -> Batches:
    """The batches, as fixed features where the stage leaves them fixed and the model can tell and take them.

    Args:
        batches: those whose rows augmentation changes stay as they are.
        model: its encoder is frozen already.
        stage: what learns.
        order: the stage's batches, the first one first.
    """
    fixed = stage.features_are_fixed and getattr(batches, "changed", None) is None
    can = fixed and getattr(model, "features_are_fixed", False)
    return FixedFeatures(batches, model, stage.precision, order) if can else batches

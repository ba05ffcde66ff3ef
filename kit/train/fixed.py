"""Fixed features: a stage that trains only the head computes the features of the frozen encoder once per row."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kit.train.device import autocast, device_of
from kit.train.objective import to_device
from kit.train.stage import LoopStage
from kit.train.step_plan import Batches


class FixedFeatures:
    """Batches whose inputs are features, computed once and kept on the CPU.

    The last bits of a row's features depend on the other rows of its batch. So features are always computed in the
    stage's first batch that holds the row: a run that is resumed in a later epoch gets the same bits. Labels are kept,
    too: a batch of known rows is not read again.

    Args:
        batches: batches of the model's inputs.
        model: has `features(**inputs)`, which gives (n, width), and can be called as `model(features=…)`.
        precision: precision of the encoder, see `kit.train.device.autocast`.
        order: all batches of the stage, in order.
    """

    def __init__(self, batches: Batches, model: Any, precision: str, order: list[np.ndarray]) -> None:
        self.batches, self.model, self.precision = batches, model, precision
        self.order = order
        self.home = np.full(1 + max(int(max(rows)) for rows in order), -1)  # the first batch that holds a row
        for number in reversed(range(len(order))):
            self.home[order[number]] = number
        self.kept: Tensor | None = None
        self.others: dict[str, Tensor] = {}  # labels and weights of the known rows, by name
        self.known = np.zeros(len(self.home), dtype=bool)

    def plan(self, epoch: int) -> list[np.ndarray]:
        return self.batches.plan(epoch)

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        if not self.known[rows].all():
            self._read(rows)
        assert self.kept is not None
        at = torch.from_numpy(rows)
        return {"inputs": {"features": self.kept[at]}, **{name: kept[at] for name, kept in self.others.items()}}

    def _read(self, rows: np.ndarray) -> None:
        batch = self.batches[rows]
        for number in np.unique(self.home[rows[~self.known[rows]]]):
            home = self.order[number]
            found = batch if np.array_equal(home, rows) else self.batches[home]
            features = self._features(home, found)
            others = {name: value for name, value in found.items() if name != "inputs"}
            if self.kept is None:
                self.kept = features.new_zeros(len(self.known), features.shape[1])
                self.others = {name: v.new_zeros(len(self.known), *v.shape[1:]) for name, v in others.items()}
            own = self.home[home] == number  # without the rows that an earlier batch also holds
            at, own_rows = torch.from_numpy(home[own]), torch.from_numpy(own)
            self.kept[at] = features[own_rows]
            for name, value in others.items():
                self.others[name][at] = value[own_rows]
            self.known[home[own]] = True

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


def with_fixed_features(batches: Batches, model: nn.Module, stage: LoopStage, order: list[np.ndarray]) -> Batches:
    """The batches with fixed features as inputs, if the features stay fixed in this stage; else the batches unchanged.

    Args:
        batches: batches of the model's inputs. If augmentation changes their rows, they are not replaced.
        model: its encoder is already frozen.
        stage: says what learns, and whether inputs are shifted or mixed.
        order: all batches of the stage, in order.
    """
    fixed = stage.features_are_fixed and getattr(batches, "changed", None) is None
    can = fixed and getattr(model, "features_are_fixed", False)
    return FixedFeatures(batches, model, stage.precision, order) if can else batches

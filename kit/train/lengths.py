"""Rows of unlike length, in batches of like length under a budget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Inputs(Protocol):
    """What a network is given of every row: known lengths, and the tensors of some rows padded to the longest."""

    @property
    def length(self) -> np.ndarray:
        """(n,) what each row costs: its tokens."""

    def padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        """The arguments of the network by name, each (len(rows), …)."""

    def key(self, row: int) -> bytes:
        """Equal for rows that a network cannot tell apart."""


class Changed(Protocol):
    """Another version of some rows in each epoch, such as augmented texts."""

    def chosen(self, epoch: int) -> np.ndarray:
        """(n,) which rows are seen changed in an epoch; the same ones each time it is asked."""

    def order(self, epoch: int, rows: np.ndarray) -> None:
        """Says in which order an epoch asks for its rows, so that they can be made ahead."""

    def padded(self, epoch: int, rows: np.ndarray) -> dict[str, Tensor]:
        """The changed rows' tensors."""


def distinct(inputs: Inputs, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that differ, the first of each kind, and for every given row which of these it is like."""
    places: dict[bytes, int] = {}
    again = np.array([places.setdefault(inputs.key(row), len(places)) for row in rows], dtype=np.int64)
    return rows[np.unique(again, return_index=True)[1]], again


def by_length(length: np.ndarray, tokens: int, rows: int) -> list[np.ndarray]:
    """Positions sorted by length and cut into batches of at most `rows` rows and `tokens` padded tokens.

    Args:
        length: (n,) tokens of each row; equal lengths keep their order.

    Returns:
        Batches that together hold each position once; a row longer than the budget makes a batch of its own.
    """
    order = np.argsort(length, kind="stable")
    batches, begin = [], 0
    while begin < len(order):
        # lengths rise, so the batch that ends at position e costs (e - begin) * length[order[e - 1]] padded tokens
        ends = np.arange(begin + 1, min(begin + rows, len(order)) + 1)
        fits = (ends - begin) * length[order[ends - 1]] <= tokens
        end = int(ends[fits][-1]) if fits.any() else begin + 1
        batches.append(order[begin:end])
        begin = end
    return batches


@dataclass(frozen=True)
class LengthBatches:
    """Train batches: rows of like length together, in a new random order each epoch.

    Shuffled rows are cut into pools of `pool` batches' worth; within a pool rows are sorted by length and cut under
    the token budget; the batches are shuffled again. So padding is small and still no two epochs see the same batches.

    Attributes:
        inputs: of all rows known.
        at: (n,) the rows to learn from, as positions in `inputs`.
        y: (n, k) float labels.
        budget: padded tokens a batch.
        rows: largest batch in rows.
        seed: of the order.
        changed: where some rows are seen otherwise than they are. The plan gives row i, changed in epoch e, as
            position e · n + i: a batch knows its epoch, and a resumed run sees the same rows.
        arranged: what the network makes of its padded inputs before they go to its device.
    """

    inputs: Inputs
    at: np.ndarray
    y: np.ndarray
    budget: int
    rows: int
    seed: int
    pool: int = 50
    changed: Changed | None = None
    arranged: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, as positions in `at`; the same ones each time it is asked."""
        rng = np.random.default_rng([self.seed, epoch])
        length = self.inputs.length[self.at]
        order = rng.permutation(len(self.at))
        size = self.pool * max(1, min(self.rows, int(self.budget / length.mean())))
        batches = []
        for i in range(0, len(order), size):
            part = order[i : i + size]
            batches += [part[batch] for batch in by_length(length[part], self.budget, self.rows)]
        plan = [batches[i] for i in rng.permutation(len(batches))]
        if self.changed is None:
            return plan
        self.changed.order(epoch, np.concatenate(plan))
        moved = self.changed.chosen(epoch) * (epoch * len(self.at))
        return [batch + moved[batch] for batch in plan]

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        epoch, own = np.divmod(rows, len(self.at))
        inputs, plain = [], epoch == 0
        if plain.any():
            inputs.append(self.inputs.padded(self.at[own[plain]]))
        if not plain.all():
            assert self.changed is not None
            inputs.append(self.changed.padded(int(epoch.max()), own[~plain]))
        own = np.concatenate([own[plain], own[~plain]])
        return {"inputs": self.arranged(stacked(inputs)), "y": torch.from_numpy(self.y[own].astype(np.float32))}


def stacked(inputs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Rows under each other, all padded with zeros to the largest."""
    if len(inputs) == 1:
        return inputs[0]
    return {name: _under_each_other([part[name] for part in inputs]) for name in inputs[0]}


def _under_each_other(parts: list[Tensor]) -> Tensor:
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    grown = []
    for part in parts:
        missing = [wanted - size for wanted, size in zip(shape, part.shape[1:], strict=True)]
        grown.append(F.pad(part, [x for more in reversed(missing) for x in (0, more)]))
    return torch.cat(grown)

"""Batches of rows of similar length, with a limit on their padded tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kit.train.prefetch import WorkersNeeded


class Inputs(Protocol):
    """The inputs of a network for n rows: their lengths, and padded tensors of any of them.

    Inputs whose `padded` is slow, such as pictures that are decoded there, say so in an attribute `needs`, see
    `kit.train.prefetch`. Workers then call it; for processes the inputs are pickled.
    """

    @property
    def length(self) -> np.ndarray:
        """(n,) number of tokens of each row."""

    def padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        """The network's arguments by name, each (len(rows), …), padded to the longest of these rows."""

    def key(self, row: int) -> bytes:
        """The content of a row: rows with equal keys get equal predictions."""


class Changed(Protocol):
    """Rows that look different in each epoch, such as augmented texts."""

    def chosen(self, epoch: int) -> np.ndarray:
        """(n,) bool: which rows are changed in an epoch. Every call gives the same rows."""

    @property
    def needs(self) -> WorkersNeeded:
        """What it takes to read changed rows, see `kit.train.prefetch`."""

    @property
    def read(self) -> Callable[[Any], dict[str, Tensor]]:
        """Job → the network's arguments for the changed rows, each (n, …). Pickled for worker processes."""

    def job(self, epoch: int, rows: np.ndarray) -> Any:
        """What `read` has to know of these rows: picklable and small."""


def distinct(inputs: Inputs, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows without duplicates.

    Args:
        inputs: inputs of all rows.
        rows: (n,) positions of rows.

    Returns:
        The first row of each group of equal rows, (m,), and for every given row the index of its group, (n,).
    """
    places: dict[bytes, int] = {}
    group = np.array([places.setdefault(inputs.key(row), len(places)) for row in rows], dtype=np.int64)
    return rows[np.unique(group, return_index=True)[1]], group


def by_length(length: np.ndarray, tokens: int, rows: int) -> list[np.ndarray]:
    """Sorts positions by length and cuts them into batches of at most `rows` rows and `tokens` padded tokens.

    Args:
        length: (n,) tokens of each row; rows of equal length keep their order.
        tokens: largest number of padded tokens in a batch.
        rows: largest number of rows in a batch.

    Returns:
        Batches that together hold each position once. A row longer than `tokens` is a batch of its own.
    """
    order = np.argsort(length, kind="stable")
    batches, begin = [], 0
    while begin < len(order):
        # lengths rise, so a batch that ends at position e has (e - begin) * length[order[e - 1]] padded tokens
        ends = np.arange(begin + 1, min(begin + rows, len(order)) + 1)
        fits = (ends - begin) * length[order[ends - 1]] <= tokens
        end = int(ends[fits][-1]) if fits.any() else begin + 1
        batches.append(order[begin:end])
        begin = end
    return batches


@dataclass(frozen=True)
class LengthBatches:
    """Train batches of rows of similar length, in a new random order in each epoch.

    Rows are shuffled and cut into pools, each large enough for `pool` batches. Within a pool, rows are sorted by length
    and cut into batches; then all batches are shuffled. So there is little padding, and each epoch has other batches.

    Attributes:
        inputs: inputs of all known rows.
        at: (n,) positions in `inputs` of the rows to learn from.
        y: (n, k) float labels of these rows; None: batches without labels, for prediction.
        budget: largest number of padded tokens in a batch.
        rows: largest number of rows in a batch.
        seed: seed of the random order.
        pool: number of batches in a pool.
        changed: augmentation that changes some rows in each epoch. In the plan, row i as changed in epoch e has the
            position e · n + i, so a batch knows its epoch and a resumed run sees the same rows.
        prepare: function of the padded inputs, called before they go to the device of the network.
        weight: (n,) weights of these rows in the loss, with a mean of 1; None: all the same.
    """

    inputs: Inputs
    at: np.ndarray
    y: np.ndarray | None
    budget: int
    rows: int
    seed: int
    pool: int = 50
    changed: Changed | None = None
    prepare: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict
    weight: np.ndarray | None = None

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, each as positions in `at`. Every call gives the same batches."""
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
        moved = self.changed.chosen(epoch) * (epoch * len(self.at))
        return [batch + moved[batch] for batch in plan]

    @property
    def needs(self) -> WorkersNeeded:
        """What it takes to make a batch, see `kit.train.prefetch`."""
        both = {getattr(part, "needs", "nothing") for part in (self.inputs, self.changed) if part is not None}
        return "processes" if "processes" in both else "threads" if "threads" in both else "nothing"

    @property
    def make(self) -> "_Slow":
        """The slow part of making a batch."""
        changed = None if self.changed is None else self.changed.read
        return _Slow(self.inputs if self._slow_inputs else None, changed)

    @property
    def _slow_inputs(self) -> bool:
        return getattr(self.inputs, "needs", "nothing") != "nothing"

    def job(self, rows: np.ndarray) -> tuple[np.ndarray | None, Any]:
        """Which rows of the inputs, if they are slow, and which changed rows `make` reads."""
        own, epoch = self.in_order(rows)
        unchanged = self.at[own[epoch == 0]] if self._slow_inputs and (epoch == 0).any() else None
        if self.changed is None or not epoch.any():
            return unchanged, None
        return unchanged, self.changed.job(int(epoch.max()), own[epoch > 0])

    def batch(self, rows: np.ndarray, made: "list[dict[str, Tensor] | None]") -> dict[str, Any]:
        """The batch of these rows, of what `make` read and of inputs that are quickly read."""
        own, epoch = self.in_order(rows)
        unchanged, changed = made
        if unchanged is None and (epoch == 0).any():
            unchanged = self.inputs.padded(self.at[own[epoch == 0]])
        inputs = self.prepare(stacked([part for part in (unchanged, changed) if part is not None]))
        if self.y is None:
            return {"inputs": inputs}
        batch = {"inputs": inputs, "y": torch.from_numpy(self.y[own].astype(np.float32))}
        if self.weight is not None:
            batch["weight"] = torch.from_numpy(self.weight[own].astype(np.float32))
        return batch

    def __getitem__(self, rows: np.ndarray) -> dict[str, Any]:
        return self.batch(rows, self.make(self.job(rows)))

    def in_order(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows in the order of the batch, unchanged ones first, and the epoch of each changed one, else 0."""
        if self.changed is None:
            return rows, np.zeros(len(rows), dtype=np.int64)
        epoch, own = np.divmod(rows, len(self.at))
        order = np.argsort(epoch > 0, kind="stable")
        return own[order], epoch[order]


@dataclass(frozen=True)
class _Slow:
    """Reads what is slow to read, in whatever process."""

    inputs: Inputs | None
    changed: Callable[[Any], dict[str, Tensor]] | None

    def __call__(self, job: tuple[np.ndarray | None, Any]) -> "list[dict[str, Tensor] | None]":
        rows, changed = job
        unchanged = None if rows is None or self.inputs is None else self.inputs.padded(rows)
        return [unchanged, None if changed is None or self.changed is None else self.changed(changed)]


def stacked(inputs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Concatenates batches along the rows, all padded with zeros to the largest shape."""
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

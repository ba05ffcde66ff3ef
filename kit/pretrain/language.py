"""LanguageModelling: a language model of a competition's text gives a network its first weights."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from kit.files import checksums
from kit.spec import Spec
from kit.train.schedule import OneCycle
from kit.train.stage import Stage

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    from kit.lazy import later

    torch = later("torch")

SAVE_EVERY = 60.0  # seconds
JUDGED = 200  # windows, evenly spaced, that tell how well a model foretells


class LanguageModelling(Spec):
    """Foretells each unit of all texts, train and test rows', from those before it (Howard & Ruder 2018)."""

    weights: str | None = Field(
        None, description="model folder of a TextNet with the same network to begin with; none: fresh weights"
    )
    window: int = Field(100, ge=4, description="units that are read together")
    embedding_dropout: float = Field(0.05, ge=0, lt=1, description="share of units whose vectors are dropped")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of states dropped in front of the decoder")
    ar: float = Field(2.0, ge=0, description="weight of the states' mean square (Merity et al. 2017)")
    tar: float = Field(1.0, ge=0, description="weight of the mean square of their steps (Merity et al. 2017)")
    batch_units: int = Field(6400, ge=64, description="units a batch")
    stage: Stage = Field(
        Stage(epochs=5, lr=4e-3, weight_decay=0.01, schedule=OneCycle(), clip=0.4), description="how it learns"
    )

    def reads(self) -> dict[str, str]:
        return checksums(weights=self.weights)

    def learn(
        self, embedding: "nn.Embedding", net: Any, windows: "Windows", seed: int, work: Path | None = None
    ) -> float:
        """Trains `embedding` and `net` in place.

        Args:
            embedding: vectors of the units.
            net: a body of `kit.models.LanguageModel`, as wide as the vectors.
            windows: the text.
            seed: of the order of windows, and of dropout.
            work: folder that a killed run goes on from.

        Returns:
            Mean nats that a foretold unit of these windows costs, measured after the training, without dropout, on at
            most `JUDGED` of them; e to the power of that is the perplexity.
        """
        from kit.models.language_model import LanguageModel
        from kit.train.lengths import LengthBatches
        from kit.train.loop import train

        units, width = embedding.weight.shape
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = LanguageModel(
                units, width, net, self.embedding_dropout, self.dropout, ar=self.ar, tar=self.tar
            )  # fmt: skip
            model.embedding = embedding
            count = len(windows.length)
            rows = max(1, self.batch_units // self.window)
            batches = LengthBatches(windows, np.arange(count), np.zeros((count, 1)), self.batch_units, rows, seed)
            train(model, _foretelling, batches, self.stage, work, depth=lambda name: 0, save_every=SAVE_EVERY)
        return _nats(model, windows, rows)


@dataclass(frozen=True)
class Windows:
    """Rows' ids cut into windows; the last unit of one is the first of the next, so that each is foretold.

    Attributes:
        ids: (total,) of all rows.
        start: (n + 1,) where rows begin.
        size: units a window at most.
        backwards: read from the end.
    """

    ids: np.ndarray
    start: np.ndarray
    size: int
    backwards: bool = False

    @cached_property
    def _spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Begin and end of each window."""
        count = np.maximum(1, -(-(np.diff(self.start) - 1) // (self.size - 1)))
        row = np.repeat(np.arange(len(count)), count)
        number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        begin = self.start[row] + number * (self.size - 1)
        end = np.minimum(begin + self.size, self.start[row + 1])
        kept = end - begin > 1  # a single unit foretells nothing
        return begin[kept], end[kept]

    @property
    def length(self) -> np.ndarray:
        """Units of each window."""
        begin, end = self._spans
        return end - begin

    def padded(self, rows: np.ndarray) -> "dict[str, torch.Tensor]":
        """Ids and mask (len(rows), longest)."""
        begin, end = (side[rows][:, None] for side in self._spans)
        column = np.arange((end - begin).max())
        mask = column < end - begin
        place = end - 1 - column if self.backwards else begin + column
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = self.ids[place[mask]]
        return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask.astype(np.int64))}

    def key(self, row: int) -> bytes:
        """Equal for equal windows."""
        begin, end = (side[row] for side in self._spans)
        return self.ids[begin:end].tobytes()


def _nats(model: Any, windows: Windows, rows: int) -> float:
    """Mean nats that a foretold unit costs a model that does not learn."""
    from kit.train.device import device_of

    count = len(windows.length)
    judged = np.unique(np.linspace(0, count - 1, min(count, JUDGED)).round().astype(np.int64))
    device, nats, foretold = device_of(model), 0.0, 0
    with torch.no_grad():
        for begin in range(0, len(judged), rows):
            batch = windows.padded(judged[begin : begin + rows])
            nats += model.surprise(**{name: value.to(device) for name, value in batch.items()}).double().sum().item()
            foretold += int(batch["mask"][:, 1:].sum())
    return nats / foretold if foretold else float("nan")


def _foretelling(model: Any, batch: dict[str, Any]) -> Any:
    """Mean nats a unit of each window, summed over windows."""
    from kit.train.objective import Step

    foretold = (batch["inputs"]["mask"].sum(1) - 1).clamp(min=1)
    loss = model(**batch["inputs"]) / foretold
    return Step(loss.sum(), loss)

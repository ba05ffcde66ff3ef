"""LanguageModelling: trains a language model on a competition's texts, to initialise a network's weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field

from kit.core.files import checksums
from kit.core.spec import Spec, validator
from kit.pretrain.blocks import BlockBatches, TextBlocks
from kit.train.schedule import OneCycle
from kit.train.stage import LoopStage

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    from kit.core.lazy import later

    torch = later("torch")

SAVE_EVERY = 60.0  # seconds
EVALUATED = 200  # number of windows, about, on which the loss is measured at the end: those of evenly spaced texts


class LanguageModelling(Spec):
    """Language modelling (Howard & Ruder 2018): predicts each unit of the texts from the units before it.

    It uses the texts of train and test rows, side by side, window after window. The state of a recurrent network at the
    end of a window is the start of the text's next window, without gradient (truncated backpropagation through time). A
    Transformer has no state: its windows overlap, and what it has predicted in one it only reads in the next (strided
    windows, as GPT is scored on long texts).
    """

    version = 3

    weights: str | None = Field(
        None, description="folder of a saved TextNet with the same network, to start from; none: random weights"
    )
    window: int = Field(100, ge=4, description="units in a window")
    overlap: int | None = Field(
        None, ge=0, description="units that a Transformer's window reads again of the one before; none: half a window"
    )
    embedding_dropout: float = Field(0.05, ge=0, lt=1, description="share of units whose vectors are dropped")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of the states' features dropped before the decoder")
    ar: float = Field(2.0, ge=0, description="weight of activation regularisation (Merity et al. 2017)")
    tar: float = Field(1.0, ge=0, description="weight of temporal activation regularisation (Merity et al. 2017)")
    batch_units: int = Field(6400, ge=64, description="units in a batch")
    stage: LoopStage = Field(
        LoopStage(epochs=5, lr=4e-3, weight_decay=0.01, schedule=OneCycle(), clip=0.4), description="how it learns"
    )

    def file_checksums(self) -> dict[str, str]:
        return checksums(weights=self.weights)

    @validator(mode="after")
    def _check_overlap(self) -> Self:
        if self.overlap is not None and self.overlap > self.window // 2:
            raise ValueError(f"overlap = {self.overlap} is more than half of window = {self.window}")
        return self

    def blocks(self, ids: np.ndarray, start: np.ndarray, backwards: bool, carries: bool) -> TextBlocks:
        """The texts cut into windows.

        Args:
            ids: (total,) of all rows.
            start: (n + 1,) where rows begin.
            backwards: whether they are read from the end.
            carries: whether the network carries its state from one window to the next, so that none overlap.
        """
        overlap = self.window // 2 if self.overlap is None else self.overlap
        return TextBlocks(ids, start, self.window, backwards, 0 if carries else overlap)

    def learn(
        self, embedding: "nn.Embedding", net: Any, windows: TextBlocks, seed: int, work: Path | None = None
    ) -> float:
        """Trains `embedding` and `net` in place.

        Args:
            embedding: vectors of the units.
            net: a body of `kit.models.LanguageModel`, as wide as the vectors.
            windows: the text.
            seed: of the order of windows, and of dropout.
            work: folder that a killed run goes on from.

        Returns:
            Mean loss in nats of a predicted unit of these texts, measured after the training, without dropout, on about
            `EVALUATED` windows of them; e to the power of that is the perplexity.
        """
        from kit.models.language_model import LanguageModel
        from kit.train.loop import train

        units, width = embedding.weight.shape
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            rows = max(1, self.batch_units // self.window)
            model = LanguageModel(
                units, width, net, self.embedding_dropout, self.dropout, ar=self.ar, tar=self.tar, rows=rows
            )
            model.embedding = embedding
            model.to(embedding.weight.device)  # the decoder's bias is the model's own
            batches = BlockBatches(windows, rows, seed)
            objective = NextUnit(windows.predicted / max(1, len(windows.length)))
            train(model, objective, batches, self.stage, work, save_every=SAVE_EVERY)
        return _nats(model, windows, rows)


def _nats(model: Any, windows: TextBlocks, rows: int) -> float:
    """Mean loss in nats of a predicted unit, without training, of some texts that are read from end to end."""
    from kit.train.device import device_of
    from kit.train.objective import to_device

    some = windows.some(EVALUATED)
    batches, device, nats = BlockBatches(some, rows, seed=0), device_of(model), 0.0
    with torch.no_grad():
        for at in batches.plan(1):
            nats += model(**to_device(batches[at]["inputs"], device)).double().sum().item()
    return nats / some.predicted if some.predicted else float("nan")


@dataclass(frozen=True)
class NextUnit:
    """A language model's loss: each predicted unit of all windows counts the same, however long its window is.

    Attributes:
        units: predicted ones in a window, on average. The loop divides by windows.
    """

    units: float

    def __call__(self, model: Any, batch: dict[str, Any]) -> Any:
        from kit.train.objective import Step

        loss = model(**batch["inputs"])
        return Step(loss.sum() / self.units, loss)

"""Embedding: the vectors that a frozen pretrained network gives to pictures or texts, as features for any member."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import digest, validator
from kit.features.base import Features
from kit.images.faults import unreadable
from kit.members.encoder.encoder import Encoder
from kit.members.image_encoder.image_encoder import ImageEncoder
from kit.members.network.network import Network
from kit.rows import Rows
from kit.source import Arrays, Source
from kit.task import Task

BLOCK = 2000  # rows that a kill loses at most


class Embedding(Features):
    """The features of a frozen pretrained network (Donahue et al. 2014): `Linear(features=Embedding())`.

    Computed once for all rows, folds and members. The pictures or texts of a row are read as the network's member reads
    them; several pictures of a row are joined by `encoder.join`, and a row without any that can be read is NaN. Nothing
    is trained, so the first honest score of a competition of pictures takes minutes. A saved member needs the weights
    again when it predicts new rows.
    """

    weights: str | None = Field(None, description="name on the hub, or a folder; none: those of encoder")
    encoder: Network | None = Field(
        None, description="the network with its settings; none: ImageEncoder where the task has pictures, else Encoder"
    )

    @validator(mode="after")
    def _weights_are_said_once(self) -> "Embedding":
        if self.weights is not None and self.encoder is not None:
            raise ValueError("weights and encoder are both set; set encoder.weights alone")
        if getattr(self.encoder, "pretrain", ()):
            raise ValueError(
                "encoder.pretrain learns from rows, and other rows would be read by another network; leave it out, or "
                "train the encoder as a member with stage.only_head"
            )
        return self

    def network(self, task: Task) -> Network:
        """The settings of the network that reads the rows of a task.

        Raises:
            KitError: it is of no use here: the task has neither pictures nor texts, or not those that it reads.
        """
        if self.encoder is None and not task.images and not task.text:
            raise KitError(f"Embedding: task '{task.name}' has neither pictures nor texts")
        default = ImageEncoder() if task.images else Encoder()
        chosen = self.encoder or (default.model_copy(update={"weights": self.weights}) if self.weights else default)
        chosen.check(task)
        return chosen

    def check(self, task: Task) -> None:
        self.network(task)

    def of(self, rows: Rows) -> np.ndarray:
        network, source = self.network(rows.task), rows.source
        every = Rows(rows.task, source, np.arange(len(source.frame)))
        gaps = ["gaps"] if rows.task.images and unreadable(source).any() else []
        name = f"embedding-{digest([self.version, network.identity(), rows.task.images, rows.task.text, *gaps])[:16]}"
        return source.blocks(name, _Vectors(network, every), size=BLOCK)["values"]

    def compute(self, source: Source, task: Task) -> np.ndarray:
        return self.of(Rows(task, source, np.arange(len(source.frame))))


class _Vectors:
    """Computes the vectors of blocks of rows; the network is made for the first one.

    Args:
        network: its settings.
        rows: all rows of a source.
    """

    def __init__(self, network: Network, rows: Rows) -> None:
        self.settings, self.rows = network, rows

    @cached_property
    def inputs(self) -> Any:
        return self._dataset.inputs(self.rows)

    @cached_property
    def _dataset(self) -> Any:
        return self.settings.make_dataset(self.rows)

    @cached_property
    def body(self) -> Any:
        import torch

        from kit.train.device import best_device

        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)  # of networks that begin at random
            body = self.settings.make_body(self._dataset, self.rows)
        if not body.features_are_fixed:
            raise KitError(f"Embedding: the pooling of this {type(self.settings).__name__} has weights of its own, "
                           "which nobody has trained; take another pool or join")  # fmt: skip
        return body.to(best_device()).eval()

    @cached_property
    def folded(self) -> Any:
        """The body with its batch norms folded into convolutions, where it has such."""
        from kit.train.device import device_of
        from kit.train.folded_norms import with_folded_norms
        from kit.train.objective import to_device

        few = self.body.prepare_inputs(self.inputs.padded(np.arange(min(4, len(self.rows)))))
        return with_folded_norms(self.body, to_device(few, device_of(self.body)))

    def __call__(self, frame: pd.DataFrame) -> Arrays:
        """Vectors (n, width) float32 of the rows that a frame of the source holds."""
        import torch

        from kit.core.allocator import freed_memory_kept
        from kit.train.device import autocast, device_of
        from kit.train.lengths import by_length
        from kit.train.objective import to_device
        from kit.train.prediction_kernels import prediction_kernels
        from kit.train.side_by_side import batches_at_once, copies, side_by_side, threads_each

        at, settings, body = frame.index.to_numpy(), self.settings, self.folded
        device, vectors = device_of(body), np.empty((len(at), body.num_features), np.float32)
        plan = by_length(self.inputs.length[at], settings.batch_tokens, settings.batch_rows)

        def encoded(net: Any, inputs: dict[str, Any]) -> np.ndarray:
            with torch.inference_mode(), autocast(device, settings.stage.precision):
                return net(**to_device(inputs, device)).float().cpu().numpy()

        # on a CPU each thread has a batch of its own; the next ones are read meanwhile
        with freed_memory_kept(), prediction_kernels(body):
            nets = copies(body, batches_at_once(body, min(settings.batch_rows, settings.batch_tokens)))
            read = (body.prepare_inputs(self.inputs.padded(at[batch])) for batch in plan)
            with threads_each(torch.get_num_threads() // len(nets)):
                for batch, found in zip(plan, side_by_side(nets, encoded, read), strict=True):
                    vectors[batch] = found
        if (readable := getattr(self.inputs, "readable", None)) is not None:
            vectors[~readable[at]] = np.nan
        return {"values": vectors}

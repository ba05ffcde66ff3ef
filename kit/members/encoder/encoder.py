"""Encoder: a pretrained text encoder, fine-tuned. Its settings; `dataset` and `backbone` import torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.members.network.pretrained import PretrainedNetwork
from kit.rows import Rows
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.encoder.dataset import TokenDataset
    from kit.pretrain.pretraining import Given

Truncation = Literal["head", "head_tail", "windows", "sentences"]
Join = Literal["mean", "max", "attention", "gru"]


class Encoder(PretrainedNetwork):
    """Fine-tunes an encoder from the model hub or a folder (Devlin et al. 2019).

    Bias-corrected AdamW, warmup, and a head that learns faster than the encoder are what makes few epochs enough
    (Mosbach et al. 2021; Zhang et al. 2021).
    """

    version = 5
    body_settings: ClassVar[tuple[str, ...]] = ("weights", "length", "truncation", "overlap", "pieces", "join", "pool")

    weights: str = Field("sentence-transformers/all-MiniLM-L6-v2", description="model folder, or name on the hub")
    length: int = Field(128, ge=8, description="largest number of tokens of a row, or of a piece")
    truncation: Truncation = Field(
        "head",
        description="what is read of longer texts: the head, head and tail, or all in windows or sentences",
    )
    overlap: int = Field(32, ge=0, description="tokens shared by neighbouring windows")
    pieces: int = Field(16, ge=1, description="largest number of windows or sentences of a row, from both ends")
    join: Join = Field("mean", description="how windows or sentences become one vector; gru: a GRU with attention")
    pool: Literal["cls", "mean", "attention", "max", "last"] = Field(
        "mean", description="how token states become one vector"
    )
    reinit: int = Field(0, ge=0, description="top encoder layers that are re-initialised (Zhang et al. 2021)")
    checkpointing: bool = Field(False, description="recompute activations in the backward pass: less memory, slower")
    unpadded: bool = Field(True, description="on a GPU: batches without padding, if model and stage allow it")
    batch_rows: int = Field(
        32, ge=1, description="largest number of rows in a batch; with few rows, small batches score better"
    )
    stage: Stage = Field(Stage(lr=1e-4, head_lr=2e-3), description="epochs, learning rates, techniques")

    @validator(mode="after")
    def _check_truncation(self) -> Self:
        if self.truncation == "windows" and self.overlap > self.length // 2:
            raise ValueError(f"overlap = {self.overlap} is more than half of length = {self.length}")
        if self.regularise.language and self.in_pieces:
            raise ValueError(
                f"language predicts tokens of one text, and truncation={self.truncation} makes several of it"
            )
        if self.in_pieces and any(stage.mix for stage in self.stages):
            raise ValueError(
                f"mix pairs whole texts, and truncation={self.truncation} reads pieces of them; leave mix out"
            )
        return self

    def file_checksums(self) -> dict[str, str]:
        from kit.weights import local_sums

        return local_sums(weights=self.weights)

    @property
    def needs_text(self) -> bool:
        return True

    @property
    def in_pieces(self) -> bool:
        """Whether a row is read in several pieces, which `join` puts together."""
        return self.truncation in ("windows", "sentences")

    @property
    def prepares(self) -> str:
        return self.and_pretraining("tokens")

    def make_dataset(self, rows: Rows) -> "TokenDataset":
        from kit.weights import find_weights

        return self.load_dataset(find_weights(self.weights))

    def load_dataset(self, folder: Path) -> "TokenDataset":
        from kit.members.encoder.dataset import TokenDataset

        return TokenDataset(folder, self.length, self.truncation, self.overlap, self.pieces)

    def given(self, dataset: "TokenDataset", rows: Rows) -> "Given":
        from kit.members.encoder.dataset import TokenDataset
        from kit.pretrain.pretraining import Given

        def windows(length: int) -> Any:
            return TokenDataset(dataset.folder, length, "windows").inputs(rows)

        return Given(dataset.inputs(rows), rows.at, dataset.folder, windows, self.length)

    def first_body(self, dataset: "TokenDataset", blank: bool = False) -> Any:
        from kit.members.encoder import backbone as of

        backbone = of.blank_backbone(dataset.folder) if blank else of.pretrained_backbone(dataset.folder)
        if (most := of.most_tokens(backbone)) is not None and self.length > most:
            raise KitError(f"Encoder.length = {self.length}: '{self.weights}' reads at most {most} tokens")
        if self.checkpointing and not blank:
            of.checkpoint_activations(backbone)
        # jagged tensors cannot be kept for a layer that is computed again
        unpadded = self.unpadded and not self.checkpointing
        return of.body_of(backbone, self.pool, self.join if self.in_pieces else None, unpadded)

    def make_body(self, dataset: "TokenDataset", rows: Rows | None = None) -> Any:
        from kit.members.encoder import backbone as of

        body = self.first_body(dataset, blank=rows is None)
        if rows is not None:
            if self.pretrain:
                from kit.pretrain.pretraining import load_pretrained

                load_pretrained(body, self.pretrained(dataset, rows))
            of.reinitialise(body, self.reinit)
        return body

"""Encoder: a pretrained text encoder, fine-tuned. The settings alone; `encoder_reader` does the work."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from kit.data import Rows
from kit.members.network import Network
from kit.spec import validator
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.reading import Reader

Cut = Literal["head", "head_tail", "windows", "sentences"]
Join = Literal["mean", "max", "attention", "gru"]


class Encoder(Network):
    """Fine-tunes an encoder from the model hub or a folder (Devlin et al. 2019).

    Bias-corrected AdamW, warmup, and a head that learns faster than the encoder are what makes few epochs enough
    (Mosbach et al. 2021; Zhang et al. 2021).
    """

    version = 3

    weights: str = Field("sentence-transformers/all-MiniLM-L6-v2", description="model folder, or name on the hub")
    length: int = Field(128, ge=8, description="tokens a row, or a piece of it, at most")
    cut: Cut = Field("head", description="what becomes of longer texts: beginning, both ends, windows, sentences")
    overlap: int = Field(32, ge=0, description="tokens that a window shares with the one before")
    pieces: int = Field(16, ge=1, description="windows or sentences a row at most, from both its ends")
    join: Join = Field("mean", description="how windows or sentences become one vector; gru: a GRU with attention")
    pool: Literal["cls", "mean", "attention", "max", "last"] = Field(
        "mean", description="how token states become one vector"
    )
    reinit: int = Field(0, ge=0, description="top encoder layers that start afresh (Zhang et al. 2021)")
    checkpointing: bool = Field(False, description="recompute activations in the backward pass: less memory, slower")
    unpadded: bool = Field(True, description="on a GPU: batches without padding, where model and stage allow it")
    batch_rows: int = Field(32, ge=1, description="rows a batch at most; more short ones cost AUC where steps are few")
    stage: Stage = Field(Stage(lr=1e-4, head_lr=2e-3), description="how it learns")

    @validator(mode="after")
    def _check_cut(self) -> Self:
        if self.cut == "windows" and self.overlap > self.length // 2:
            raise ValueError(f"overlap = {self.overlap} is more than half of length = {self.length}")
        if self.regularise.language and self.cut in ("windows", "sentences"):
            raise ValueError(f"language foretells the tokens of one text, and cut={self.cut} makes several of it")
        if self.cut in ("windows", "sentences") and any(stage.mix for stage in self.stages):
            raise ValueError(f"mix pairs whole texts, and cut={self.cut} reads each in pieces; leave mix out")
        return self

    def reads(self) -> dict[str, str]:
        from kit.weights import local_sums

        return local_sums(weights=self.weights)

    def reader(self, rows: Rows) -> "Reader":
        from kit.members.encoder_reader import TokenReader
        from kit.weights import find_weights

        return TokenReader(self, find_weights(self.weights))

    def saved_reader(self, folder: Path) -> "Reader":
        from kit.members.encoder_reader import TokenReader

        return TokenReader(self, folder)

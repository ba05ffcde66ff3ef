"""Encoder: a pretrained text encoder, fine-tuned. The settings alone; `finetune` does the work and imports torch."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kit.data import Rows
from kit.member import Member, Predictor
from kit.train.stage import Stage


class Encoder(Member):
    """Fine-tunes an encoder from the model hub or a folder (Devlin et al. 2019).

    Batches hold rows of like length under a token budget. Bias-corrected AdamW, warmup, and a head that learns faster
    than the encoder are what makes few epochs enough (Mosbach et al. 2021; Zhang et al. 2021).
    """

    version = 2

    weights: str = Field("sentence-transformers/all-MiniLM-L6-v2", description="model folder, or name on the hub")
    length: int = Field(128, ge=8, description="tokens a row at most; longer texts keep their beginning")
    pool: Literal["cls", "mean", "attention"] = Field("mean", description="how token states become one vector")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of pooled features dropped in training")
    batch_tokens: int = Field(2048, ge=64, description="padded tokens a batch, padding counted")
    batch_rows: int = Field(64, ge=1, description="rows a batch at most, however short they are")
    stage: Stage = Field(Stage(lr=1e-4, head_lr=2e-3), description="how it learns")
    save_every: float = Field(120.0, ge=0, description="seconds between two saves that a killed run goes on from")

    def identity(self) -> dict[str, Any]:
        return {k: v for k, v in self.dump().items() if k != "save_every"}  # changes no number

    def prepare(self, rows: Rows) -> None:
        from kit.members.finetune import prepare

        prepare(self, rows)

    def fit(self, train: Rows, valid: Rows, work: Path) -> Predictor:
        from kit.members.finetune import fit

        return fit(self, train, work)

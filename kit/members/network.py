"""Network: what every member that the training loop trains has in common. Settings alone; `fitting` imports torch."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from kit.data import Rows
from kit.features.base import not_alone
from kit.member import Member, Predictor
from kit.spec import Spec, validator
from kit.train.average import Snapshots
from kit.train.schedule import Plateau
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.reading import Reader


class Regularise(Spec):
    """What holds a pretrained encoder and its head back from fitting the train rows too closely."""

    samples: int = Field(1, ge=1, description="dropout masks a step in front of the head (Inoue 2019)")
    heads: int = Field(1, ge=1, description="heads trained jointly, whose mean answers")
    diversity: float = Field(0.0, ge=0, description="push of joint heads away from their mean (Liu & Yao 1999)")
    mixout: float = Field(0.0, ge=0, lt=1, description="share of weights replaced by pretrained ones (Lee et al. 2020)")
    weight_noise: float = Field(0.0, ge=0, description="noise on weights, in their standard deviations (Graves 2011)")
    noisy_tune: float = Field(0.0, ge=0, description="one shake of the pretrained weights (Wu et al. 2022)")
    language: float = Field(
        0.0, ge=0, description="weight of a decoder's own loss beside the task's (Radford et al. 2018)"
    )
    spectral_norm: bool = Field(False, description="head divided by its largest singular value (Miyato et al. 2018)")
    spectral_penalty: float = Field(
        0.0, ge=0, description="penalty on all singular values' tops (Yoshida & Miyato 2017)"
    )

    @validator(mode="after")
    def _check(self) -> Self:
        if self.diversity and self.heads == 1:
            raise ValueError(f"diversity = {self.diversity} needs heads of 2 or more")
        if self.samples > 1 and self.heads > 1:
            raise ValueError("samples and heads both give several answers a row; set one of them to 1")
        if self.mixout and self.weight_noise:
            raise ValueError("mixout and weight_noise both change weights in each pass; set one of them to 0")
        return self


class Network(Member):
    """A body that makes features of a row, and a linear head on them, trained together.

    Batches hold rows of like length under a token budget.
    """

    immaterial = ("save_every",)

    dropout: float = Field(0.1, ge=0, lt=1, description="share of the body's features dropped in training")
    batch_tokens: int = Field(2048, ge=64, description="padded tokens a batch, padding counted")
    batch_rows: int = Field(64, ge=1, description="rows a batch at most, however short they are")
    stage: Stage = Field(Stage(), description="how it learns")
    then: tuple[Stage, ...] = Field((), description="further stages, each going on from the one before")
    regularise: Regularise = Field(Regularise(), description="what holds it back")
    stop: Literal["none", "valid", "inner"] = Field(
        "none", description="epoch that is kept: the last; the best on the judged fold; the best on some train rows"
    )
    patience: int | None = Field(None, ge=1, description="epochs without gain after which it ends; none: all epochs")
    inner: float = Field(0.1, gt=0, lt=1, description="share of the train rows that stop=inner judges on")
    compile: bool = Field(False, description="torch.compile: slow to begin with, then faster on a GPU")
    save_every: float = Field(120.0, ge=0, description="seconds between two saves that a killed run goes on from")

    @validator(mode="after")
    def _check(self) -> Self:
        if self.patience is not None and self.stop == "none":
            raise ValueError(f"patience = {self.patience} waits for nothing with stop=none; take stop=inner")
        snapping = [isinstance(stage.average, Snapshots) for stage in self.stages]
        if any(snapping) and (any(snapping[:-1]) or self.stop != "none"):
            raise ValueError("average=Snapshots answers alone: it belongs in the last stage, with stop=none")
        if self.regularise.language and all(stage.only_head for stage in self.stages):
            raise ValueError("language teaches the encoder, which only_head keeps as it is; leave one of them out")
        for changing in (stage.augment for stage in self.stages if stage.augment):
            if features := not_alone(self):
                raise ValueError(
                    f"augment={type(changing).__name__}: {features} tells a row from the other rows, and a changed row "
                    f"is read without them; leave one of them out"
                )
        for stage in self.stages if self.stop == "none" else ():
            if isinstance(stage.schedule, Plateau):
                raise ValueError("schedule=Plateau hears no scores with stop=none; take stop=inner")
            if stage.perturb and stage.perturb.start_score is not None:
                raise ValueError("start_score hears no scores with stop=none; take stop=inner")
        return self

    @property
    def peeks(self) -> bool:
        return self.stop == "valid"

    @property
    def judges(self) -> bool:
        return self.stop != "none"

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, in order."""
        return (self.stage, *self.then)

    @abstractmethod
    def reader(self, rows: Rows) -> "Reader":
        """What reads rows for the network; no label is read for it."""

    @abstractmethod
    def saved_reader(self, folder: Path) -> "Reader":
        """The reader that was saved into a folder."""

    def prepare(self, rows: Rows) -> None:
        self.reader(rows).inputs(rows)

    def fit(self, train: Rows, valid: Rows, work: Path) -> Predictor:
        from kit.members.fitting import fit

        return fit(self, train, valid, work)

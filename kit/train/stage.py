"""Stages: the settings of some epochs of training.

`LoopStage` has the settings that the training loop uses. `Stage` adds those of a network member: loss, augmentation.
"""

from typing import Literal, Self

from pydantic import Field

from kit.augment import Augment
from kit.core.spec import Spec, validator
from kit.losses import Loss
from kit.train.average import Average, Snapshots
from kit.train.mix import Mix
from kit.train.optimizers import AdamW, Lamb, Optimizer
from kit.train.perturb import Noise, Perturb
from kit.train.schedule import CosineRestarts, LinearDecay, Schedule, problem_with

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class StageSettings(Spec):
    """Some epochs with one optimizer, schedule and set of techniques. A training consists of one or more stages.

    The next stage begins with the last weights, a new optimizer and a new schedule. A second stage can use larger
    batches (`accumulate`), SGD, another loss or adversarial training.
    """

    epochs: int = Field(1, ge=1, description="passes over the train rows")
    min_steps: int = Field(0, ge=0, description="smallest number of steps: with few rows, more epochs are added")
    max_steps: int | None = Field(None, ge=1, description="largest number of steps of these epochs; none: no limit")
    steps: int | None = Field(None, ge=1, description="optimizer steps, instead of epochs and min_steps; none: epochs")
    lr: float = Field(1e-4, gt=0, description="peak learning rate of the encoder (of all weights, if there is no head)")
    head_lr: float | None = Field(None, gt=0, description="peak learning rate of the head; none: lr")
    layer_decay: float = Field(1.0, gt=0, le=1, description="factor on the rate from each layer to the one below it")
    weight_decay: float = Field(0.01, ge=0, description="weight decay of matrices; norms and biases have none")
    optimizer: Optimizer = Field(AdamW(), description="optimizer of the weights")
    schedule: Schedule = Field(LinearDecay(), description="how the learning rate changes after warmup")
    warmup: float = Field(
        0.06, ge=0, lt=1, description="share of steps in which the rate rises, before schedules that do not"
    )
    anneal: Schedule | None = Field(None, description="how dropout and weight decay change; none: they stay the same")
    clip: float | None = Field(1.0, gt=0, description="largest norm of the whole gradient; none: not clipped")
    accumulate: int = Field(1, ge=1, description="batches per optimizer step (gradient accumulation)")
    precision: Precision = Field("auto", description="auto: bf16 if the hardware multiplies it, else fp32")
    only_head: bool = Field(False, description="train only the head; the encoder is frozen")
    freeze: int = Field(0, ge=0, description="number of frozen encoder layers, from the bottom, with the embeddings")
    freeze_embeddings: bool = Field(False, description="freeze the embeddings")
    gradual: float | None = Field(
        None, gt=0, description="gradual unfreezing: layers unfrozen in each epoch, from the top; first the head alone"
    )
    perturb: Perturb | None = Field(None, description="adversarial training")
    noise: Noise | None = Field(None, description="noise on the embeddings")
    mix: Mix | None = Field(None, description="mixing rows with each other (mixup)")
    average: Average | None = Field(None, description="average of the weights over the steps (EMA, SWA)")

    @validator(mode="after")
    def _check(self) -> Self:
        if self.max_steps is not None and self.max_steps < self.min_steps:
            raise ValueError(f"max_steps = {self.max_steps} is below min_steps = {self.min_steps}")
        if self.max_steps is not None and self.steps is not None:
            raise ValueError("steps says how many steps there are; leave max_steps out")
        if self.only_head and (self.gradual or self.freeze):
            raise ValueError("only_head freezes the whole encoder; leave out freeze and gradual")
        if self.gradual and isinstance(self.optimizer, Lamb):
            raise ValueError("optimizer=Lamb counts steps of weights that are still frozen; leave out gradual")
        if isinstance(self.average, Snapshots) and not (
            isinstance(self.schedule, CosineRestarts) and self.schedule.cycles == self.average.cycles
        ):
            cycles = f"cycles={self.average.cycles}"
            raise ValueError(f"average=Snapshots({cycles}) needs schedule=CosineRestarts({cycles})")
        if self.steps and (problem := problem_with(self.schedule, self.steps, self.warmup)):
            raise ValueError(f"schedule={type(self.schedule).__name__}: {problem}")
        return self

    @property
    def needs_hook_point(self) -> bool:
        """Whether a technique changes the output of the embeddings."""
        techniques = (self.perturb, self.noise, self.mix)
        return any(technique is not None and technique.needs_point for technique in techniques)

    @property
    def moves_inputs(self) -> bool:
        """Whether a technique shifts, mixes or adds noise to the inputs of rows."""
        return bool((self.perturb and self.perturb.needs_point) or self.noise or self.mix)

    @property
    def features_are_fixed(self) -> bool:
        """Whether the frozen encoder gives the same features for a row in every step."""
        return self.only_head and not self.moves_inputs


class LoopStage(StageSettings):
    """A stage for `kit.train.train`. Loss and data are not part of it: they are arguments of `train`."""


class Stage(StageSettings):
    """A stage of a network member: the settings of the loop, the loss, augmentation, and the size of pictures."""

    loss: Loss | None = Field(None, description="loss; none: the default of the kind of task")
    rdrop: float = Field(0.0, ge=0, description="weight of R-Drop's divergence between two passes (Liang et al. 2021)")
    augment: Augment | None = Field(None, description="augmentation of texts or pictures; labels stay the same")
    augmented: float = Field(0.5, gt=0, le=1, description="share of rows that are augmented, drawn again in each epoch")

    size: int | None = Field(
        None, ge=1, description="side of the pictures in pixels, for progressive resizing; none: as the member has it"
    )

    def for_loop(self) -> LoopStage:
        """The settings that the training loop uses."""
        return LoopStage(**{name: getattr(self, name) for name in LoopStage.model_fields})

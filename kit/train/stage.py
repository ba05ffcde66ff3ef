"""Stage: how a model learns for some epochs."""

from typing import Any, Literal, Self

from pydantic import Field

from kit.augment import Augment
from kit.losses import Loss
from kit.spec import Spec, validator
from kit.train.average import Average, Snapshots
from kit.train.mix import Mix
from kit.train.optimizers import AdamW, Lamb, Optimizer
from kit.train.perturb import Noise, Perturb
from kit.train.schedule import CosineRestarts, Linear, Schedule, problem_with

Precision = Literal["auto", "fp32", "bf16", "fp16"]
FOR_MEMBERS = ("loss", "rdrop", "augment", "augmented")  # they make objective and batches, which `train` is given


class Stage(Spec):
    """Epochs with one optimizer, schedule, loss and set of techniques; a run is one stage after another.

    The next stage begins with the weights that this one ends with, a new optimizer and a new schedule. What wins late
    is a second stage: larger batches (`accumulate`), SGD, another loss, adversarial steps.
    """

    epochs: int = Field(1, ge=1, description="passes over the train rows")
    steps: int | None = Field(None, ge=1, description="optimizer steps, instead of whole epochs; none: epochs")
    lr: float = Field(1e-4, gt=0, description="peak learning rate of the encoder (of everything, where no head is)")
    head_lr: float | None = Field(None, gt=0, description="peak learning rate of what starts fresh; none: lr")
    layer_decay: float = Field(1.0, gt=0, le=1, description="each layer below the top learns this much slower")
    weight_decay: float = Field(0.01, ge=0, description="decay of matrices; norms and biases have none")
    optimizer: Optimizer = Field(AdamW(), description="how weights follow gradients")
    schedule: Schedule = Field(Linear(), description="course of the rate after warmup")
    warmup: float = Field(
        0.06, ge=0, lt=1, description="share of steps in which the rate rises, before schedules that do not"
    )
    clip: float | None = Field(1.0, gt=0, description="largest norm of the whole gradient; none: not clipped")
    accumulate: int = Field(1, ge=1, description="batches whose gradients make one step")
    precision: Precision = Field("auto", description="auto: bf16 where the hardware multiplies it, else fp32")
    only_head: bool = Field(
        False, description="the encoder is frozen; its features are computed once, where they can be"
    )
    freeze: int = Field(0, ge=0, description="lowest encoder layers that do not learn, embeddings with them")
    freeze_embeddings: bool = Field(False, description="embeddings do not learn")
    gradual: float | None = Field(None, gt=0, description="layers let go with each epoch, from the top, after the head")
    loss: Loss | None = Field(None, description="what is minimised; none: the task's own")
    rdrop: float = Field(0.0, ge=0, description="weight of R-Drop's divergence between two passes (Liang et al. 2021)")
    perturb: Perturb | None = Field(None, description="adversarial training")
    noise: Noise | None = Field(None, description="noise on the embedding")
    mix: Mix | None = Field(None, description="rows mixed with each other")
    augment: Augment | None = Field(None, description="change of texts that keeps their label")
    augmented: float = Field(0.5, gt=0, le=1, description="share of rows that augment changes, anew in each epoch")
    average: Average | None = Field(None, description="average of the weights passed through")

    @validator(mode="after")
    def _check(self) -> Self:
        if self.mix and self.loss and not self.loss.soft:
            raise ValueError(
                f"mix={type(self.mix).__name__} makes labels shares, which loss={type(self.loss).__name__} cannot read"
            )
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
    def for_members(self) -> dict[str, Any]:
        """What members read and `train` does not, by name → its default, where it is set to something else."""
        defaults = {name: type(self).model_fields[name].default for name in FOR_MEMBERS}
        return {name: default for name, default in defaults.items() if getattr(self, name) != default}

    def for_train(self) -> Self:
        """The stage as `train` takes it: with what members read left out."""
        return self.model_copy(update=self.for_members)

    @property
    def moves_inputs(self) -> bool:
        """Whether rows are shifted or mixed where they go in, each by itself."""
        return bool((self.perturb and self.perturb.needs_point) or self.noise or self.mix)

    @property
    def features_are_fixed(self) -> bool:
        """Whether what the encoder says of a row is the same at every step."""
        return self.only_head and not (self.moves_inputs or self.augment)

"""Stage: how a model learns for some epochs."""

from typing import Literal

from pydantic import Field

from kit.spec import Spec

Precision = Literal["auto", "fp32", "bf16"]


class Stage(Spec):
    """Epochs trained with one optimizer, schedule and precision."""

    epochs: int = Field(1, ge=1, description="passes over the train rows")
    lr: float = Field(1e-4, gt=0, description="peak learning rate of the encoder (of everything, where no head is)")
    head_lr: float | None = Field(None, gt=0, description="peak learning rate of what starts fresh; none: lr")
    layer_decay: float = Field(1.0, gt=0, le=1, description="each layer below the top learns this much slower")
    weight_decay: float = Field(0.01, ge=0, description="decoupled decay of matrices; norms and biases have none")
    betas: tuple[float, float] = Field((0.9, 0.999), description="Adam's decay rates of the two moments")
    eps: float = Field(1e-6, gt=0, description="Adam's term against division by zero")
    schedule: Literal["constant", "linear", "cosine"] = Field("linear", description="fall of the rate after warmup")
    warmup: float = Field(0.06, ge=0, lt=1, description="share of all steps in which the rate rises from zero")
    clip: float | None = Field(1.0, gt=0, description="largest norm of the whole gradient; none: not clipped")
    accumulate: int = Field(1, ge=1, description="batches whose gradients make one step")
    precision: Precision = Field("auto", description="auto: bf16 where the hardware multiplies it, else fp32")

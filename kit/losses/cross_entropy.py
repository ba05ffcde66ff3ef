"""BCE and CrossEntropy: the negative log-likelihood of labels and of classes."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat

from kit.lazy import later
from kit.losses.base import CLASSES, Loss, per_column

if TYPE_CHECKING:
    import torch.nn.functional as F
    from torch import Tensor
else:
    F = later("torch.nn.functional")


class BCE(Loss):
    """Binary cross-entropy, the mean over the columns of a row.

    Label smoothing (Szegedy et al. 2016) moves each label y to (1 − smoothing) y + smoothing / 2.
    """

    pos_weight: tuple[PositiveFloat, ...] | None = Field(
        None, description="weight of positive labels, a number a column"
    )
    smoothing: float = Field(0.0, ge=0, lt=1, description="share of each label that is spread over yes and no")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        positive = per_column("BCE.pos_weight", self.pos_weight, output)
        y = y * (1 - self.smoothing) + self.smoothing / 2
        return F.binary_cross_entropy_with_logits(output, y, pos_weight=positive, reduction="none").mean(1)


class CrossEntropy(Loss):
    """Cross-entropy of the softmax, −Σ_c w_c y_c log p_c; it is not divided by the weights of the classes.

    Label smoothing (Szegedy et al. 2016) moves the shares y to (1 − smoothing) y + smoothing / classes. The logits are
    divided by the temperature here only: probabilities are the softmax of output / temperature.
    """

    kinds: ClassVar[frozenset[str]] = CLASSES

    class_weights: tuple[PositiveFloat, ...] | None = Field(None, description="weight of each class")
    smoothing: float = Field(0.0, ge=0, lt=1, description="share of each label that is spread over the classes")
    temperature: float = Field(1.0, gt=0, description="what the logits are divided by; below 1 for cosines")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        classes = per_column("CrossEntropy.class_weights", self.class_weights, output)
        logits = output / self.temperature
        return F.cross_entropy(logits, y, classes, reduction="none", label_smoothing=self.smoothing)

"""BCE and CrossEntropy: the negative log-likelihood of yes-or-no labels and of classes."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat

from kit.core.lazy import later
from kit.losses.base import CLASSES, Loss, known_labels, per_column, row_mean

if TYPE_CHECKING:
    import torch.nn.functional as F
    from torch import Tensor
else:
    F = later("torch.nn.functional")


class BCE(Loss):
    """Binary cross-entropy; the loss of a row is the mean over its columns.

    Label smoothing (Szegedy et al. 2016) replaces each label y by (1 − smoothing) y + smoothing / 2.
    """

    gaps: ClassVar[bool] = True

    pos_weight: tuple[PositiveFloat, ...] | None = Field(
        None, description="weight of positive labels, one number for each column"
    )
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing: share of each label spread over yes and no")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        positive = per_column("BCE.pos_weight", self.pos_weight, output)
        y, known = known_labels(y, multiclass)
        y = y * (1 - self.smoothing) + self.smoothing / 2
        losses = F.binary_cross_entropy_with_logits(output, y, pos_weight=positive, reduction="none")
        return row_mean(losses, known)


class CrossEntropy(Loss):
    """Cross-entropy of the softmax, −Σ_c w_c y_c log p_c. It is not divided by the sum of the class weights.

    Label smoothing (Szegedy et al. 2016) replaces the shares y by (1 − smoothing) y + smoothing / classes. The loss
    divides the logits by `temperature`, the model does not: its probabilities are softmax(output / temperature).
    """

    kinds: ClassVar[frozenset[str]] = CLASSES
    gaps: ClassVar[bool] = True  # there are none: a row has one label

    class_weights: tuple[PositiveFloat, ...] | None = Field(None, description="weight of each class")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing: share of each label spread over classes")
    temperature: float = Field(1.0, gt=0, description="divisor of the logits; below 1 if the logits are cosines")

    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        classes = per_column("CrossEntropy.class_weights", self.class_weights, output)
        logits = output / self.temperature
        return F.cross_entropy(logits, y, classes, reduction="none", label_smoothing=self.smoothing)

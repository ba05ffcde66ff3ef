"""Negative correlation learning: trains the members of an ensemble to make different errors."""

from dataclasses import dataclass

from torch import nn

from kit.core.errors import KitError
from kit.layers.heads import Link, checked, predicted
from kit.train.objective import Batch, Objective, Step
from kit.train.objectives.mean_of_outputs import weighted_sum


@dataclass(frozen=True)
class NegativeCorrelation:
    """Negative correlation learning (Liu and Yao 1999) of members that are trained together.

    Adds weight · (fᵢ − f̄) Σⱼ≠ᵢ (fⱼ − f̄) = −weight · (fᵢ − f̄)² to the loss of member i, where f are predictions and f̄
    is their mean over the members; the loss is the mean over the members. With the squared error the loss is
    (f̄ − y)² + (1 − weight) · variance: weight 0 trains independent members, weight 1 only their mean. If the batch has
    weights of rows, they are used.

    Attributes:
        objective: the members' mean loss, such as `Supervised(MeanOfOutputs(loss))`; its output is (members, n, k).
        weight: factor of the penalty. Above 1 the squared error has no minimum.
        link: function from logits to predictions. The squares are summed over classes for `softmax`, else averaged over
            columns.

    Raises:
        KitError: the weight is negative, or above 1 with the link `identity`; there is no such link; the output of the
            objective is not (members, n, k).
    """

    objective: Objective
    weight: float = 0.5
    link: Link = "sigmoid"

    def __post_init__(self) -> None:
        checked(self.link)
        if self.weight < 0:
            raise KitError(f"NegativeCorrelation.weight = {self.weight} is negative")
        if self.link == "identity" and self.weight > 1:
            raise KitError(f"NegativeCorrelation.weight = {self.weight}: above 1 the loss has no minimum")

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        step = self.objective(model, batch)
        if step.output.ndim != 3:
            raise KitError("NegativeCorrelation needs outputs (members, n, k), such as those of Heads")
        apart = predicted(step.output, self.link).var(0, correction=0)
        variance = weighted_sum(apart.sum(-1) if self.link == "softmax" else apart.mean(-1), batch)
        return step.plus(-self.weight * variance, variance=variance)

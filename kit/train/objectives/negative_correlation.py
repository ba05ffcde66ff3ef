"""Negative correlation learning: members of an ensemble that err apart."""

from dataclasses import dataclass

from torch import nn

from kit.layers.heads import Link, checked, predicted
from kit.spec import KitError
from kit.train.objective import Batch, Objective, Step
from kit.train.objectives.each import weighed


@dataclass(frozen=True)
class NegativeCorrelation:
    """Negative correlation learning (Liu and Yao 1999) of jointly trained members.

    Each member i pays weight · (fᵢ − f̄) Σⱼ≠ᵢ (fⱼ − f̄) = −weight · (fᵢ − f̄)², where f are predictions; the mean over
    members is taken. With the squared error this is (f̄ − y)² + (1 − weight) · variance: from independent members
    (0) to the error of their mean alone (1). Rows count by the batch's weights, if it has any.

    Attributes:
        objective: the members' mean loss, such as `Supervised(Each(loss))`; its output is (members, n, k).
        weight: of the penalty; beyond 1 the squared error would have no minimum.
        link: from logits to predictions. Squares are averaged over columns, summed over classes (`softmax`).
    """

    objective: Objective
    weight: float = 0.5
    link: Link = "sigmoid"

    def __post_init__(self) -> None:
        checked(self.link)
        if self.weight < 0:
            raise KitError(f"NegativeCorrelation.weight = {self.weight} is negative")
        if self.link == "identity" and self.weight > 1:
            raise KitError(f"NegativeCorrelation.weight = {self.weight}: beyond 1 values would run away")

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        step = self.objective(model, batch)
        if step.output.ndim != 3:
            raise KitError("NegativeCorrelation needs outputs (members, n, k), such as those of Heads")
        apart = predicted(step.output, self.link).var(0, correction=0)
        variance = weighed(apart.sum(-1) if self.link == "softmax" else apart.mean(-1), batch)
        return step._replace(
            loss=step.loss - self.weight * variance, parts=step.parts | {"variance": variance.detach()}
        )

"""Penalised: an objective with a penalty on the model itself."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from kit.spec import KitError
from kit.train.objective import Batch, Objective, Step


@dataclass(frozen=True)
class Penalised:
    """Adds weight · penalty(model) to the mean loss of a batch.

    A step's loss is a sum over rows, so the penalty counts once for each row.

    Attributes:
        objective: what is penalised.
        penalty: of the model, a scalar, such as `SpectralPenalty`.
        weight: of the penalty.
    """

    objective: Objective
    penalty: Callable[[nn.Module], Tensor]
    weight: float

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise KitError(f"Penalised.weight = {self.weight} is negative")

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        step = self.objective(model, batch)
        penalty = self.weight * len(batch["y"]) * self.penalty(model)
        return step._replace(loss=step.loss + penalty, parts=step.parts | {"penalty": penalty.detach()})

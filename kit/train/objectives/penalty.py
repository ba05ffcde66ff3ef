"""WithPenalty: adds a penalty on the model's weights to an objective."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from kit.core.errors import KitError
from kit.train.objective import Batch, Objective, Step


@dataclass(frozen=True)
class WithPenalty:
    """Adds weight · penalty(model) to the mean loss of a batch.

    The loss of a step is a sum over rows, so the penalty is multiplied by the number of rows.

    Attributes:
        objective: the objective without penalty.
        penalty: model → scalar, such as `SpectralPenalty`.
        weight: factor of the penalty, not negative.

    Raises:
        KitError: the weight is negative.
    """

    objective: Objective
    penalty: Callable[[nn.Module], Tensor]
    weight: float

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise KitError(f"WithPenalty.weight = {self.weight} is negative")

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        step = self.objective(model, batch)
        penalty = self.weight * len(batch["y"]) * self.penalty(model)
        return step.plus(penalty, penalty=penalty)

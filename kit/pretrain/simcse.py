"""SimCSE: an encoder learns that a text is near to itself and far from all others."""

from typing import Any

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.pretrain.pretraining import Given, Goal, Pretraining
from kit.train.stage import LoopStage


class SimCSE(Pretraining):
    """Contrast without labels (Gao et al. 2021): each row is read twice with other dropout masks.

    Its two vectors should be nearer to each other than to those of the other rows of the batch. It spreads the vectors
    of a language model, which lie in a narrow cone. Rows that are equal are not pushed apart.
    """

    temperature: float = Field(0.05, gt=0, description="by which cosines are divided; small: near negatives count more")
    projection: int = Field(
        0, ge=0, description="width of a layer on the vectors that learns along and is dropped; 0: none"
    )
    batch_tokens: int = Field(8192, ge=64, description="largest number of tokens in a batch, with padding")
    stage: LoopStage = Field(LoopStage(epochs=1, lr=3e-5, head_lr=1e-3), description="how it learns")

    def goal(self, body: Any, given: Given, learnt: np.ndarray, held: np.ndarray) -> Goal:
        from kit.models.projected import Projected
        from kit.train.objectives import DropoutContrast

        model, objective = Projected(body, self.projection), DropoutContrast(self.temperature)
        if not any(getattr(module, "p", 0) and "Dropout" in type(module).__name__ for module in body.modules()):
            raise KitError("SimCSE needs dropout, and the configuration of these weights has none; take MaskedLM")
        rows = {"learnt": self._batches(body, given, learnt), "held": self._batches(body, given, held)}
        if rows["learnt"] is None:
            raise KitError(f"SimCSE needs two rows at least, and there are {len(learnt)}")
        return Goal(model, [objective], rows["learnt"], [self.stage], rows["held"], objective, with_dropout=True)

    def _batches(self, body: Any, given: Given, rows: np.ndarray) -> Any:
        """Batches whose labels number the rows, equal ones alike; None where there is nothing to compare."""
        from kit.train.lengths import LengthBatches, distinct

        if len(rows) < 2:
            return None
        number = distinct(given.inputs, rows)[1][:, None]
        each = (self.batch_tokens, self.batch_rows, self.seed)
        return LengthBatches(given.inputs, rows, number, *each, prepare=body.prepare_inputs)

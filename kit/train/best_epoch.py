"""BestEpoch: the score of each epoch, and the weights of the best one."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass
class BestEpoch:
    """Scores of a model after each epoch, and its weights after the best one.

    Attributes:
        patience: epochs of a stage without a better score in it after which the stage ends early, at least 1; None:
            never.
        scores: one for each epoch, higher is better.
        began: how many there were when the present stage began.
        weights: those of the best epoch, on the CPU; empty before the first.
        snapshots: weights kept at the ends of cycles, where a stage takes them.
    """

    patience: int | None = None
    scores: list[float] = field(default_factory=list)
    began: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    snapshots: list[dict[str, Tensor]] = field(default_factory=list)

    @property
    def last(self) -> float | None:
        """The newest score, None before the first."""
        return self.scores[-1] if self.scores else None

    @property
    def epoch(self) -> int | None:
        """The epoch, from 1, with the best score, the first of equal ones."""
        return 1 + self.scores.index(max(self.scores)) if self.scores else None

    @property
    def out_of_patience(self) -> bool:
        """Whether `patience` epochs of the stage have passed without a better score in it."""
        own = self.of_stage
        return self.patience is not None and bool(own) and len(own) - 1 - own.index(max(own)) >= self.patience

    @property
    def of_stage(self) -> list[float]:
        """The scores of the present stage."""
        return self.scores[self.began :]

    def begin_stage(self) -> None:
        """From here on scores are those of another stage; one that has ended early does not end it."""
        self.began = len(self.scores)

    def update(self, score: float, model: nn.Module) -> None:
        """Adds the score of an epoch, and keeps the model's weights if it is the best so far."""
        if not self.scores or score > max(self.scores):
            self.weights = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
        self.scores.append(score)

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on from here; the tensors are not copies."""
        kept = {"scores": list(self.scores), "began": self.began}
        return kept | {"weights": self.weights, "snapshots": self.snapshots}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        self.scores, self.began = list(state["scores"]), state.get("began", 0)
        self.weights, self.snapshots = state["weights"], state["snapshots"]

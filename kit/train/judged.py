"""Judged: scores of the epochs, and the best one's weights."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass
class Judged:
    """What judging after each epoch has shown so far.

    Attributes:
        patience: epochs without a better score after which training is over, at least 1; None: never.
        scores: one for each epoch, higher is better.
        best: weights of the best epoch, on the CPU; empty before the first.
        snapshots: weights kept at the ends of cycles, where a stage takes them.
    """

    patience: int | None = None
    scores: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    snapshots: list[dict[str, Tensor]] = field(default_factory=list)

    @property
    def last(self) -> float | None:
        """The newest score, None before the first."""
        return self.scores[-1] if self.scores else None

    @property
    def chosen(self) -> int | None:
        """The epoch, from 1, with the best score, the first of equal ones."""
        return 1 + self.scores.index(max(self.scores)) if self.scores else None

    @property
    def over(self) -> bool:
        """Whether patience is at its end."""
        return self.patience is not None and self.chosen is not None and len(self.scores) - self.chosen >= self.patience

    def take(self, score: float, model: nn.Module) -> None:
        """Notes an epoch's score, and keeps the model's weights if it is the best so far."""
        if not self.scores or score > max(self.scores):
            self.best = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
        self.scores.append(score)

    def state_dict(self) -> dict[str, Any]:
        return {"scores": list(self.scores), "best": self.best, "snapshots": self.snapshots}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scores, self.best, self.snapshots = list(state["scores"]), state["best"], state["snapshots"]

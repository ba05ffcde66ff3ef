"""Multi-layer stacking: each layer of blends learns from out-of-fold predictions of the layer below."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.ensemble.blend import Blend
from kit.ensemble.blends.greedy import Greedy
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.fitted import FittedBlend, restored, with_kind
from kit.ensemble.oof import OutOfFold
from kit.ensemble.stack.stack import Stack
from kit.ensemble.wrapper import Composite


class MultiLayerStack(Composite):
    """Several blends of the members, joined by one more (Wolpert, "Stacked generalization", 1992).

    `last` learns from out-of-fold predictions of the `first` blends: in the same fold plan, each fold is blended by
    blends that were learnt on the other folds. If the first blends had learnt from the rows that they blend, they would
    look too good, especially the flexible ones, and `last` would trust the wrong ones. For the test set, the first
    blends are then learnt on all rows. More layers: `last=MultiLayerStack(…)`.

    One indirect leak remains, as for members: the first blends' predictions of the other folds come from fits that saw
    this fold's labels. A nested score scores all layers together on folds that none of them has seen.

    A fit learns every first blend folds + 1 times; a nested score does so about folds² times.
    """

    first: tuple[Blend, ...] = Field(
        (Stack(), Greedy()), min_length=1, description="blends of the members, or of the layer below"
    )
    last: Blend = Field(Greedy(), description="joins the first blends; another MultiLayerStack for one more layer")

    @property
    def inner(self) -> tuple[Blend, ...]:
        return (*self.first, self.last)

    @property
    def fixed_kind(self) -> tuple[Blend, ...]:
        return self.first

    @property
    def folds_needed(self) -> int:
        return max(1, self.last.folds_needed - 1, *(blend.folds_needed for blend in self.first)) + 1

    @property
    def may_change_kind(self) -> bool:
        return self.last.may_change_kind

    def learn(self, oof: OutOfFold) -> "FittedMultiLayerStack":
        p = np.stack([cross_fitted(blend, oof, type(self).__name__) for blend in self.first])
        last = self.last.fit_oof(oof.with_predictions(p, numbered(self.first)))
        return FittedMultiLayerStack(tuple(blend.fit_oof(oof) for blend in self.first), last)


@dataclass(frozen=True)
class FittedMultiLayerStack(FittedBlend):
    """A fitted MultiLayerStack.

    Attributes:
        first: the fitted blends of the members.
        last: the fitted blend of their predictions.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
    """

    compact: ClassVar[bool] = True
    first: tuple[FittedBlend, ...]
    last: FittedBlend
    thresholds: tuple[float, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.first[0].members

    @property
    def weights(self) -> dict[str, float]:
        """A member's share: the sum over the first blends of its share there times the blend's share in `last`."""
        of = self.last.weights
        pairs = [(of[name], blend.weights) for name, blend in zip(self.last.members, self.first, strict=True)]
        return {member: sum(share * inner[member] for share, inner in pairs) for member in self.members}

    def explanation(self) -> dict[str, Any]:
        return self.last.explanation()

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        return self.last.predict_checked(
            np.stack([blend.predict_checked(predictions, columns) for blend in self.first]), columns
        )

    def to_dict(self) -> dict[str, Any]:
        first, last = [with_kind(blend) for blend in self.first], with_kind(self.last)
        return {"first": first, "last": last, "thresholds": list(self.thresholds)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        return cls(tuple(map(restored, saved["first"])), restored(saved["last"]), tuple(saved["thresholds"]))


def numbered(blends: tuple[Blend, ...]) -> tuple[str, ...]:
    """A name for each blend: its class, with a number if the class occurs several times."""
    kinds = [type(blend).__name__ for blend in blends]
    several = [kinds.count(kind) > 1 for kind in kinds]
    return tuple(
        f"{kind} {kinds[: i + 1].count(kind)}" if many else kind
        for i, (kind, many) in enumerate(zip(kinds, several, strict=True))
    )

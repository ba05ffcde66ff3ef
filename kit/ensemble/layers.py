"""Layers: blends of blends. Each layer learns from out-of-fold predictions of the one below, so that no label leaks."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.ensemble.base import Blend, Blended, Judged, revived
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.greedy import Greedy
from kit.ensemble.prior import named, outermost, steady
from kit.ensemble.stack import Stack
from kit.spec import validator


class Layers(Blend):
    """Several blends of the members, joined by one more (Wolpert, "Stacked generalization", 1992).

    `last` learns from predictions of the `first` blends that are themselves out of fold: over the same fold plan, each
    fold is joined by blends learnt on the other folds. Learnt on the very rows that they join, the first blends would
    look better than they are, the more so the more freely they fit, and `last` would trust the wrong ones. The first
    blends that meet the test set are then learnt anew, on all rows. More layers: `last=Layers(…)`.

    What stays indirect, as for members: the first blends' predictions of the other folds have seen this fold's labels.
    A nested score judges the whole stack of layers on folds that none of them has seen.

    One fit learns every first blend folds + 1 times, a nested score about folds² times.
    """

    compact: ClassVar[bool] = True

    first: tuple[Blend, ...] = Field(
        (Stack(), Greedy()), min_length=1, description="blends of the members, or of the layer below"
    )
    last: Blend = Field(Greedy(), description="joins what the first blends say; another Layers for one more layer")

    @validator(mode="after")
    def _shifts_last(self) -> "Layers":
        for blend in (*self.first, self.last):
            outermost(blend, "Layers")
        for blend in self.first:
            steady(blend, "Layers")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for blend in (*self.first, self.last) for name in blend.needs))

    @property
    def folds_needed(self) -> int:
        return max(1, self.last.folds_needed - 1, *(blend.folds_needed for blend in self.first)) + 1

    @property
    def fickle(self) -> bool:
        return self.last.fickle

    def learn(self, judged: Judged) -> Blended:
        unseen = np.stack([cross_fitted(blend, judged, "Layers") for blend in self.first])
        last = self.last.learn_inside(replace(judged, predictions=unseen, names=numbered(self.first)))
        return Layered(tuple(blend.learn_inside(judged) for blend in self.first), last)


@dataclass(frozen=True)
class Layered(Blended):
    """What Layers found.

    Attributes:
        first: blends of the members.
        last: joins what these say.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
    """

    compact: ClassVar[bool] = True

    first: tuple[Blended, ...]
    last: Blended
    thresholds: tuple[float, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.first[0].members

    @property
    def weights(self) -> dict[str, float]:
        """A member's share is a sum over the first blends: its share in one times that one's share in the last."""
        of = self.last.weights
        pairs = [(of[name], blend.weights) for name, blend in zip(self.last.members, self.first, strict=True)]
        return {member: sum(share * inner[member] for share, inner in pairs) for member in self.members}

    def story(self) -> dict[str, Any]:
        return self.last.story()

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        return self.last.join_inside(
            np.stack([blend.join_inside(predictions, columns) for blend in self.first]), columns
        )

    def facts(self) -> dict[str, Any]:
        first, last = [named(blend) for blend in self.first], named(self.last)
        return {"first": first, "last": last, "thresholds": list(self.thresholds)}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        return cls(tuple(map(revived, facts["first"])), revived(facts["last"]), tuple(facts["thresholds"]))


def numbered(blends: tuple[Blend, ...]) -> tuple[str, ...]:
    """One name a blend: its class, with a number where one is there several times."""
    kinds = [type(blend).__name__ for blend in blends]
    several = [kinds.count(kind) > 1 for kind in kinds]
    return tuple(
        f"{kind} {kinds[: i + 1].count(kind)}" if many else kind
        for i, (kind, many) in enumerate(zip(kinds, several, strict=True))
    )

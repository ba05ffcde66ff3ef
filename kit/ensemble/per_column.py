"""Weights per column: which member is trusted may differ from target to target."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.ensemble.base import Blend, Blended, Judged, Weighted, revived
from kit.ensemble.greedy import Greedy
from kit.ensemble.prior import named, outermost, steady
from kit.metrics import unjudged
from kit.spec import KitError, validator


class PerColumn(Blend):
    """Fits a blend to each column of labels or values by itself, so each column has weights of its own.

    For metrics that are means over columns, such as mean ROC AUC, each column's optimum is the whole's. It learns as
    many times more numbers, so rare labels overfit sooner: its nested score tells. A column that the metric cannot
    judge, because its labels are all equal, stays the members' mean.
    """

    compact: ClassVar[bool] = True

    blend: Blend = Field(Greedy(), description="what is fitted to each column")

    @validator(mode="after")
    def _shifts_last(self) -> "PerColumn":
        outermost(self.blend, "PerColumn")
        steady(self.blend, "PerColumn")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        return self.blend.needs

    @property
    def folds_needed(self) -> int:
        return self.blend.folds_needed

    def learn(self, judged: Judged) -> Blended:
        outputs, dumb = judged.predictions.shape[2], unjudged(judged.metric, judged.y)
        if judged.y.shape[1] != outputs:
            raise KitError(
                f"PerColumn wants one column of labels an output, not {judged.y.shape[1]} for {outputs}: the classes "
                f"of one target are blended together; use {type(self.blend).__name__}"
            )
        if len(dumb) == outputs:
            dumb = []  # the blend itself says what is wrong
        equal = Weighted("Mean", judged.names, (1 / len(judged.names),) * len(judged.names))
        return ByColumn(
            tuple(equal if j in dumb else self.blend.learn_inside(column(judged, j)) for j in range(outputs))
        )


@dataclass(frozen=True)
class ByColumn(Blended):
    """A blend for each column.

    Attributes:
        parts: one a column.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
    """

    compact: ClassVar[bool] = True

    parts: tuple[Blended, ...]
    thresholds: tuple[float, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.parts[0].members

    @property
    def weights(self) -> dict[str, float]:
        return {name: float(np.mean([part.weights[name] for part in self.parts])) for name in self.members}

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        if predictions.shape[2] != len(self.parts):
            raise KitError(
                f"blend: predictions have {predictions.shape[2]} columns, but weights were learnt for {len(self.parts)}"
            )
        cut = (predictions[:, :, j : j + 1] for j in range(len(self.parts)))
        return np.hstack([part.join_inside(p, columns) for part, p in zip(self.parts, cut, strict=True)])

    def facts(self) -> dict[str, Any]:
        return {"columns": [named(part) for part in self.parts], "thresholds": list(self.thresholds)}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        return cls(tuple(map(revived, facts["columns"])), tuple(facts["thresholds"]))


def column(judged: Judged, j: int) -> Judged:
    """One column of labels and predictions."""
    return replace(judged, predictions=judged.predictions[:, :, j : j + 1], y=judged.y[:, j : j + 1])

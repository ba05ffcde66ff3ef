"""PerColumn: a blend of its own for each target column."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.ensemble.blend import Blend
from kit.ensemble.blends.greedy import Greedy
from kit.ensemble.fitted import FittedBlend, WeightedMean, restored, with_kind
from kit.ensemble.oof import OutOfFold
from kit.ensemble.wrapper import BlendWrapper
from kit.metrics import undefined_columns


class PerColumn(BlendWrapper):
    """Fits a separate blend for each column of labels or values, so each column has its own weights.

    For metrics that are means over columns, such as mean ROC AUC, the optimum of each column is the optimum of the
    whole. More weights are learnt, so rare labels overfit sooner; the nested score shows this. If the metric is
    undefined for a column, because all its labels are equal, the column gets the members' mean.
    """

    blend: Blend = Field(Greedy(), description="the blend of each column")

    def learn(self, oof: OutOfFold) -> "FittedPerColumn":
        outputs, constant = oof.outputs, undefined_columns(oof.metric, oof.y)
        if oof.y.shape[1] != outputs:
            raise KitError(
                f"PerColumn needs one column of labels an output, not {oof.y.shape[1]} for {outputs}: the classes "
                f"of one target are blended together; use {type(self.blend).__name__}"
            )
        if len(constant) == outputs:
            constant = []  # the error is then the blend's own
        equal = WeightedMean("Mean", oof.names, (1 / len(oof.names),) * len(oof.names))
        return FittedPerColumn(
            tuple(equal if j in constant else self.blend.fit_oof(oof.column(j)) for j in range(outputs))
        )


@dataclass(frozen=True)
class FittedPerColumn(FittedBlend):
    """A blend for each column.

    Attributes:
        parts: one fitted blend for each column.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
    """

    compact: ClassVar[bool] = True

    parts: tuple[FittedBlend, ...]
    thresholds: tuple[float, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.parts[0].members

    @property
    def weights(self) -> dict[str, float]:
        return {name: float(np.mean([part.weights[name] for part in self.parts])) for name in self.members}

    @property
    def is_mean(self) -> bool:
        return all(part.is_mean for part in self.parts)

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        if predictions.shape[2] != len(self.parts):
            raise KitError(
                f"blend: predictions have {predictions.shape[2]} columns, but weights were learnt for {len(self.parts)}"
            )
        cut = (predictions[:, :, j : j + 1] for j in range(len(self.parts)))
        return np.hstack([part.predict_checked(p, columns) for part, p in zip(self.parts, cut, strict=True)])

    def to_dict(self) -> dict[str, Any]:
        return {"columns": [with_kind(part) for part in self.parts], "thresholds": list(self.thresholds)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        return cls(tuple(map(restored, saved["columns"])), tuple(saved["thresholds"]))

"""Calibrated: a blend whose probabilities are calibrated on predictions of rows that it has not learnt from."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.ensemble.base import Around, Blend, Blended, Judged, revived
from kit.ensemble.calibration import Calibration, Temperature
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.greedy import Greedy
from kit.ensemble.prior import named, outermost, steady
from kit.ensemble.stack import kind_of
from kit.spec import KitError, choices, validator


class Calibrated(Blend):
    """Calibrates what a blend gives, each target by a curve of its own; of classes see the method.

    The curve is fitted to the blend's out-of-fold predictions (over the fold plan, each fold joined by a blend learnt
    on the others), because a blend is surer of rows that it learnt from than of fresh ones. The blend that the curve
    is then laid on is learnt on all rows. A target whose labels are all equal is left as it is.
    """

    compact: ClassVar[bool] = True

    blend: Blend = Field(Greedy(), description="gives the probabilities")
    method: Calibration = Field(Temperature(), description="the form of the curve")

    @validator(mode="after")
    def _shifts_last(self) -> "Calibrated":
        outermost(self.blend, "Calibrated")
        steady(self.blend, "Calibrated")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        return self.blend.needs

    @property
    def folds_needed(self) -> int:
        return max(1, self.blend.folds_needed) + 1

    def learn(self, judged: Judged) -> Blended:
        kind, method = kind_of(judged), type(self.method).__name__
        if kind == "values":
            raise KitError(f"Calibrated gives probabilities, but {judged.metric.name} judges values")
        if kind == "labels" and not self.method.labels:
            raise KitError(
                f"Calibrated: {method} calibrates classes; for labels use Temperature, Platt, Isotonic or Beta"
            )
        p, y = cross_fitted(self.blend, judged, "Calibrated"), judged.y
        if p.min() < 0 or p.max() > 1:
            found = f"{type(self.blend).__name__} gives {p.min():g} to {p.max():g}"
            raise KitError(f"Calibrated wants probabilities, but {found}")
        curves: list[dict[str, Any] | None]
        if kind == "classes" and self.method.classes:
            curves = [self.method.fit(p, y[:, 0])]
        else:
            truth = (y == np.arange(p.shape[1])).astype(float) if kind == "classes" else y
            pairs = zip(p.T, truth.T, strict=True)
            curves = [self.method.fit(a, b) if 0 < b.mean() < 1 else None for a, b in pairs]
        return CalibratedBlend(self.blend.learn_inside(judged), method, kind == "classes", tuple(curves))


@dataclass(frozen=True)
class CalibratedBlend(Around):
    """What Calibrated found.

    Attributes:
        blended: gives the probabilities.
        method: class of the calibration.
        classes: the columns are classes, whose probabilities sum to 1.
        curves: the numbers of each column's curve, None where it is left as it is; one for all classes together.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
    """

    blended: Blended
    method: str
    classes: bool
    curves: tuple[dict[str, Any] | None, ...]
    thresholds: tuple[float, ...] = ()

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        p = self.blended.join_inside(predictions, columns).clip(0, 1)
        method = choices(Calibration)[self.method]()  # type: ignore[type-abstract]
        assert isinstance(method, Calibration)
        if self.classes and method.classes:
            return method.bend(self.curves[0] or {}, p)
        pairs = zip(p.T, self.curves, strict=True)
        bent = np.column_stack([one if curve is None else method.bend(curve, one) for one, curve in pairs])
        if self.classes:
            total = bent.sum(axis=1, keepdims=True)
            bent = np.where(total > 0, bent / np.where(total > 0, total, 1), p)
        return bent

    def facts(self) -> dict[str, Any]:
        return {
            "blend": named(self.blended),
            "method": self.method,
            "classes": self.classes,
            "curves": list(self.curves),
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        inner, curves, cuts = revived(facts["blend"]), tuple(facts["curves"]), tuple(facts["thresholds"])
        return cls(inner, facts["method"], facts["classes"], curves, cuts)

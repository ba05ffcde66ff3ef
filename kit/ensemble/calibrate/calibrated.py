"""Calibrated: a blend whose probabilities are calibrated on predictions of rows that it has not learnt from."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.ensemble.blend import Blend
from kit.ensemble.blends.greedy import Greedy
from kit.ensemble.calibrate.calibration import Calibration, TemperatureScaling, calibration_named
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.fitted import FittedBlend, FittedWrapper, restored, with_kind
from kit.ensemble.oof import OutOfFold
from kit.ensemble.target import target_kind
from kit.ensemble.wrapper import BlendWrapper


class Calibrated(BlendWrapper):
    """Calibrates the probabilities of a blend, each target with its own curve; for classes see the method.

    The curve is fitted to the blend's out-of-fold predictions (over the fold plan, each fold joined by a blend learnt
    on the others), because a blend is more confident on rows that it learnt from than on new ones. It is then applied
    to the blend that is learnt on all rows. A target whose labels are all equal is not changed.
    """

    blend: Blend = Field(Greedy(), description="the blend that is calibrated")
    method: Calibration = Field(TemperatureScaling(), description="method of calibration")

    @property
    def folds_needed(self) -> int:
        return max(1, self.blend.folds_needed) + 1

    def learn(self, oof: OutOfFold) -> "FittedCalibrated":
        kind, method = target_kind(oof), type(self.method).__name__
        if kind == "values":
            raise KitError(f"Calibrated gives probabilities, but {oof.metric.name} scores values")
        if kind == "labels" and not self.method.labels:
            raise KitError(
                f"Calibrated: {method} calibrates classes; for labels use TemperatureScaling, PlattScaling, Isotonic "
                "or BetaCalibration"
            )
        p, y = cross_fitted(self.blend, oof, "Calibrated"), oof.y
        if p.min() < 0 or p.max() > 1:
            found = f"{type(self.blend).__name__} gives {p.min():g} to {p.max():g}"
            raise KitError(f"Calibrated needs probabilities, but {found}")
        curves: list[dict[str, Any] | None]
        if kind == "classes" and self.method.classes:
            curves = [self.method.fit(p, y[:, 0])]
        else:
            known = [(a[~np.isnan(b)], b[~np.isnan(b)]) for a, b in zip(p.T, oof.targets.T, strict=True)]
            curves = [self.method.fit(a, b) if 0 < b.mean() < 1 else None for a, b in known]
        return FittedCalibrated(self.blend.fit_oof(oof), method, kind == "classes", tuple(curves))


@dataclass(frozen=True)
class FittedCalibrated(FittedWrapper):
    """A fitted Calibrated.

    Attributes:
        inner: the fitted blend whose probabilities are calibrated.
        method: class of the calibration.
        classes: whether the columns are classes, whose probabilities sum to 1.
        curves: the numbers of each column's curve, None for a column that is not changed; one curve for all classes.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
    """

    inner: FittedBlend
    method: str
    classes: bool
    curves: tuple[dict[str, Any] | None, ...]
    thresholds: tuple[float, ...] = ()

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        p = self.inner.predict_checked(predictions, columns).clip(0, 1)
        method = calibration_named(self.method)
        if self.classes and method.classes:
            return method.apply(self.curves[0] or {}, p)
        pairs = zip(p.T, self.curves, strict=True)
        bent = np.column_stack([one if curve is None else method.apply(curve, one) for one, curve in pairs])
        if self.classes:
            total = bent.sum(axis=1, keepdims=True)
            bent = np.where(total > 0, bent / np.where(total > 0, total, 1), p)
        return bent

    def to_dict(self) -> dict[str, Any]:
        return {
            "blend": with_kind(self.inner),
            "method": self.method,
            "classes": self.classes,
            "curves": list(self.curves),
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        inner, curves, cuts = restored(saved["blend"]), tuple(saved["curves"]), tuple(saved["thresholds"])
        return cls(inner, saved["method"], saved["classes"], curves, cuts)

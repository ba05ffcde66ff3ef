"""TransformedTarget: a member that learns another scale of the target, such as its logarithm."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field
from scipy.special import ndtr, ndtri

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.member import Predictor
from kit.members.parts import load_parts, save_parts
from kit.members.wrapper import Wrapper
from kit.metrics import rmse
from kit.rows import Rows
from kit.task import Task

if TYPE_CHECKING:
    from kit.train.stop import ShouldStop

TransformName = Literal["log1p", "sqrt", "ranks"]
LEAST = {"log1p": -1.0, "sqrt": 0.0}  # labels from here on have a transform; -1 itself has none
POINTS = 1000  # quantiles of a target that are kept, at most


class TransformedTarget(Wrapper):
    """Fits a member on transformed targets of a regression, and transforms its predictions back.

        TransformedTarget(member=Boost(), transform="log1p")

    Prices and counts have long tails; on the scale of their logarithm a relative error counts alike everywhere, as
    RMSLE counts it. `ranks` makes the train labels normal (rank-based inverse normal, Blom 1958); a prediction becomes
    the label of this rank. The mean of a transformed label is not the mean of the label: for the mean squared error of
    the original scale the plain member may be better. Scores are always on the original scale; the member within stops
    early, if it does, by the error on the transformed one. It is scikit-learn's `TransformedTargetRegressor`.
    """

    transform: TransformName = Field("log1p", description="log1p: log(1 + y); sqrt; ranks: a normal distribution")

    @property
    def uses_metric(self) -> bool:
        return False  # the member is given the root mean squared error

    def check(self, task: Task) -> None:
        super().check(task)
        if task.kind != "regression":
            changes = "TransformedTarget changes the scale of values"
            raise KitError(f"{changes}, and task '{task.name}' is {task.kind}; take the member within alone")

    def learn(self, train: Rows, valid: Rows, work: Path) -> "TransformedTargetPredictor":
        return self.learn_until(train, valid, work, None)

    def learn_until(
        self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None"
    ) -> "TransformedTargetPredictor":
        """Fits the member in `work`.

        Raises:
            KitError: a train label has no transform, such as a negative one no square root.
        """
        self.check(train.task)
        least = LEAST.get(self.transform, -np.inf)
        known = train.labels[~np.isnan(train.labels)]
        if len(known) and (known.min() < least or (self.transform == "log1p" and known.min() == least)):
            given = f"TransformedTarget: transform = {self.transform}"
            raise KitError(f"{given} has no value for the label {known.min():g}; take ranks")
        scales = [TargetScale.of(self.transform, column) for column in train.labels.T]

        def changed(rows: Rows) -> Rows:
            y = rows.y
            if y is not None:
                y = np.stack([scale.apply(column) for scale, column in zip(scales, y.T, strict=True)], axis=1)
            task = rows.task.model_copy(update={"metric": rmse})
            return replace(rows, task=task, y=y, judged_by=None)

        fitted = self.member.learn_until(changed(train), changed(valid), work, should_stop)
        return TransformedTargetPredictor(fitted, scales)


class TargetScale:
    """The transform of one target.

    Args:
        transform: which one.
        points: (k,) rising quantiles of the train labels, for ranks; else empty.
    """

    def __init__(self, transform: TransformName, points: np.ndarray) -> None:
        self.transform, self.points = transform, points

    @classmethod
    def of(cls, transform: TransformName, labels: np.ndarray) -> Self:
        """What is learnt from (n,) train labels; NaN does not count."""
        known = labels[~np.isnan(labels)]
        if transform != "ranks" or not len(known):
            return cls(transform, np.zeros(0))
        return cls(transform, np.quantile(known, _shares(min(POINTS, len(known))), method="hazen"))

    def apply(self, y: np.ndarray) -> np.ndarray:
        """(n,) labels → transformed; those below all that have a transform get that of the least."""
        if self.transform == "log1p":
            return np.log1p(np.maximum(y, -1 + 1e-9))
        if self.transform == "sqrt":
            return np.sqrt(np.maximum(y, 0))
        if not len(self.points):
            return y
        shares = _shares(len(self.points))
        # the mean from both sides, so that equal labels get the middle of their ranks
        up = np.interp(y, self.points, shares)
        down = 1 - np.interp(-y, -self.points[::-1], (1 - shares)[::-1])
        return np.where(np.isnan(y), np.nan, ndtri((up + down) / 2))

    def undo(self, z: np.ndarray) -> np.ndarray:
        """(n,) transformed values → values of the target."""
        if self.transform == "log1p":
            return np.expm1(z)
        if self.transform == "sqrt":
            return np.square(np.maximum(z, 0))
        return np.interp(ndtr(z), _shares(len(self.points)), self.points) if len(self.points) else z


def _shares(n: int) -> np.ndarray:
    """(n,) shares in the middle of n equal parts of 0 to 1."""
    return (np.arange(n) + 0.5) / n


class TransformedTargetPredictor(Predictor):
    """A fitted TransformedTarget."""

    def __init__(self, predictor: Predictor, scales: list[TargetScale]) -> None:
        self.predictor, self.scales = predictor, scales

    def predict(self, rows: Rows) -> np.ndarray:
        found = self.predictor.predict(rows)
        return np.stack([scale.undo(column) for scale, column in zip(self.scales, found.T, strict=True)], axis=1)

    def save(self, folder: Path) -> None:
        save_parts([self.predictor], folder)
        saved: list[Any] = [[scale.transform, scale.points.tolist()] for scale in self.scales]
        write_json(folder / "scales.json", saved)

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved = read_json(folder / "scales.json")
        scales = [TargetScale(transform, np.array(points)) for transform, points in saved]
        return cls(load_parts(folder)[0], scales)

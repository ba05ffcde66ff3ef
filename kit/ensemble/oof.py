"""OutOfFold: out-of-fold predictions of several members, with labels, folds, metric and groups of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from kit.core.errors import KitError, nearest
from kit.ensemble.predictions import Predictions, as_float, by_member
from kit.metrics import Metric, metric_named


@dataclass(frozen=True, init=False, eq=False)
class OutOfFold:
    """Labelled rows with the out-of-fold predictions of every member.

    Blends learn from it, and nested scores, thresholds, diversity and reports use it. Everything is checked once, when
    it is created. The results of `rows`, `members` and `column` share its arrays and are not checked again.

    Attributes:
        predictions: (members, n, outputs), finite.
        y: (n, targets) labels; NaN where one of several is missing.
        metric: the metric of the blend. A metric that reads columns of the rows contains them, see `Metric.on`.
        names: one name for each member.
        plan: (n,) fold number of each row; None if it is not known.
        columns: (n, …) original columns, those of `Blend.needs`; None if the blend reads none.
        groups: (n,) group of each row: resamples draw whole groups. None: single rows.
        ordered: whether folds are ordered in time: then a nested score learns from earlier folds only.
        goal: the metric of the decisions, if the weights are optimised for another `metric` and thresholds follow
            (`fit_thresholded`); None: `metric` itself.
    """

    predictions: np.ndarray
    y: np.ndarray
    metric: Metric
    names: tuple[str, ...]
    plan: np.ndarray | None
    columns: pd.DataFrame | None
    groups: np.ndarray | None
    ordered: bool
    goal: Metric | None

    def __init__(
        self,
        predictions: Predictions,
        y: Any,
        metric: Metric | str,
        names: Sequence[str] = (),
        plan: Any = None,
        columns: pd.DataFrame | None = None,
        groups: Any = None,
        ordered: bool = False,
        goal: Metric | None = None,
    ) -> None:
        """Takes predictions in the forms of `by_member`, and labels as an array, Series or frame.

        Raises:
            KitError: numbers of rows differ, a prediction is missing, a label of the only target or all of one, a value
                is infinite, a row is in no fold, a member is named twice, or the metric is not a Metric.
        """
        indexes = [a.index for a in (predictions, y) if isinstance(a, pd.DataFrame | pd.Series)]
        if len(indexes) == 2 and len(indexes[0]) == len(indexes[1]) and not indexes[0].equals(indexes[1]):
            raise KitError("blend: predictions and labels have different indexes, so their rows may not match")
        array, members, _ = by_member(predictions, names)
        labels, n = _labels(y), array.shape[1]
        if len(labels) != n:
            turned = "; predictions must be (members, rows): transpose them" if array.shape[0] == len(labels) else ""
            raise KitError(f"blend: {len(labels)} rows of labels, but predictions of {n} rows{turned}")
        plan = None if plan is None else np.asarray(plan).reshape(-1)
        groups = None if groups is None else np.asarray(groups).reshape(-1)
        for what, given in (("fold numbers", plan), ("groups", groups), ("rows of original columns", columns)):
            if given is not None and len(given) != n:
                raise KitError(f"blend: {n} rows of predictions, but {len(given)} {what}; give one for each row")
        if plan is not None and (plan < 0).any():
            raise KitError(f"blend: {int((plan < 0).sum())} rows are in no fold; pass only rows that a fold predicted")
        self._set(
            predictions=array, y=labels, metric=_metric(metric), names=members, plan=plan, columns=columns,
            groups=groups, ordered=ordered, goal=goal,
        )  # fmt: skip

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _changed(self, **fields: Any) -> Self:
        """A copy with other parts, without the checks."""
        other = object.__new__(type(self))
        other._set(**(vars(self) | fields))
        return other

    # ---- a part of it --------------------------------------------------------------------------

    def rows(self, mask: np.ndarray) -> Self:
        """The rows where `mask` (n,) is true."""
        plan, columns, groups = (None if a is None else a[mask] for a in (self.plan, self.columns, self.groups))
        goal = None if self.goal is None else self.goal.take(mask)
        return self._changed(
            predictions=self.predictions[:, mask], y=self.y[mask], metric=self.metric.take(mask), plan=plan,
            columns=columns, groups=groups, goal=goal,
        )  # fmt: skip

    def fold(self, number: int) -> Self:
        """The rows of one fold."""
        return self.rows(np.asarray(self.plan == number))

    def members(self, names: Sequence[str]) -> Self:
        """Only these members, in this order."""
        if unknown := [name for name in names if name not in self.names]:
            raise KitError(f"blend: there is no member '{unknown[0]}'" + nearest(unknown[0], list(self.names)))
        at = [self.names.index(name) for name in names]
        return self._changed(predictions=self.predictions[at], names=tuple(names))

    def without(self, member: str) -> Self:
        """All members but one."""
        self.members([member])  # refuses a name that is not there
        return self.members([name for name in self.names if name != member])

    def column(self, j: int) -> Self:
        """One column of labels, and of each member's predictions, in the rows whose label is known."""
        metric, goal = self.metric.alone(), None if self.goal is None else self.goal.alone()
        one = self._changed(
            predictions=self.predictions[:, :, j : j + 1], y=self.y[:, j : j + 1], metric=metric, goal=goal
        )
        known = ~np.isnan(self.y[:, j])
        return one if known.all() else one.rows(known)

    # ---- the same rows with something else ---------------------------------------------------------

    def with_predictions(self, predictions: np.ndarray, names: Sequence[str]) -> Self:
        """The same rows with other predictions (members, n, outputs), such as those of blends."""
        return self._changed(predictions=predictions, names=tuple(names))

    def with_plan(self, plan: np.ndarray) -> Self:
        """The same rows in other folds."""
        return self._changed(plan=plan)

    def optimised_for(self, metric: Metric) -> Self:
        """The same rows, weights optimised for `metric` and decisions scored by this one's own."""
        return self._changed(metric=metric, goal=self.metric)

    def as_float(self, compact: bool) -> Self:
        """Predictions as float64; with `compact`, float32 stays float32."""
        return self._changed(predictions=as_float(self.predictions, compact))

    # ---- what follows from it ------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.y)

    @property
    def outputs(self) -> int:
        """Columns of a prediction."""
        return int(self.predictions.shape[2])

    @property
    def folds(self) -> list[int]:
        """Fold numbers, rising; none where no plan is known."""
        return [] if self.plan is None else np.unique(self.plan).tolist()

    @property
    def classes(self) -> bool:
        """Whether predictions have one column for each class, and labels are class indices."""
        return self.y.shape[1] == 1 < self.outputs

    @property
    def targets(self) -> np.ndarray:
        """Labels (n, outputs) in the shape of a prediction, with their gaps; class labels as one-hot."""
        return (self.y == np.arange(self.outputs)).astype(float) if self.classes else self.y


def _labels(y: Any) -> np.ndarray:
    array = np.asarray(y)
    if array.dtype.kind not in "fiub":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise KitError(f"blend: labels must be numbers, such as 0 and 1, not '{array.ravel()[0]}'") from None
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise KitError(f"blend: labels have shape {array.shape}, not (rows,) or (rows, targets)")
    finite = np.isfinite(array)
    if array.shape[1] > 1:  # a target of several may have gaps, but not be unknown
        finite |= np.isnan(array) & ~np.isnan(array).all(axis=0)
    if bad := int((~finite).any(axis=1).sum()):
        raise KitError(f"blend: {bad} of {len(array)} rows have NaN or infinite labels; blend only rows with labels")
    return array


def _metric(metric: Any) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        return metric_named(metric)
    name = getattr(metric, "__name__", "my_function")
    raise KitError(
        "blend: the metric must be a Metric or the name of one; of a function make one: "
        f"Metric({name}, greater_is_better=…)"
    )

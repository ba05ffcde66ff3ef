"""Blend: combines the predictions of members; it learns from their out-of-fold predictions."""

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from kit.core.errors import KitError, nearest
from kit.core.spec import Spec
from kit.ensemble.fitted import FittedBlend, WeightedMean
from kit.ensemble.oof import OutOfFold
from kit.ensemble.predictions import Predictions
from kit.metrics import Metric


class Blend(Spec):
    """Base class of blends. A frozen spec; `fit` gives a FittedBlend. A new blend implements `learn`."""

    compact: ClassVar[bool] = False  # True: float32 and memory-mapped predictions reach `learn` as they are
    outermost: ClassVar[bool] = False  # True: it cannot stand inside another blend

    @property
    def needs(self) -> tuple[str, ...]:
        """Original columns that the blend reads in addition to the predictions."""
        return ()

    @property
    def folds_needed(self) -> int:
        """How many folds learning needs: 0 if labels are not read, 2 or more if a part of it learns out of fold."""
        return 1

    @property
    def may_change_kind(self) -> bool:
        """Whether it may choose another kind of blend, with another scale, on other rows (Auto)."""
        return False

    def fit(
        self,
        predictions: Predictions,
        y: Any = None,
        metric: Metric | str | None = None,
        names: Sequence[str] = (),
        *more: Any,
        **rows: Any,
    ) -> FittedBlend:
        """Learns on rows whose labels are known: `Greedy().fit({"linear": p, "boost": q}, y, roc_auc)`.

        Args:
            predictions: out-of-fold predictions of n rows: an array (members, n) or (members, n, outputs), a dict of
                member name → (n,) or (n, outputs), or a frame with a column a member.
            y: (n,) or (n, targets) labels, array, Series or frame.
            metric: what the blend is scored by, or its name.
            names: one a member; empty: those of a dict or frame, else the indexes of the members.
            *more: refused: what follows is given by name.
            **rows: what else is known of the rows, as OutOfFold takes it: `plan`, the fold of each row, for what learns
                out of fold (Calibrated, MultiLayerStack, Auto); `columns` of `needs`; `groups`.

        Raises:
            KitError: shapes disagree, a prediction is NaN or infinite, an argument is missing or unknown, or the metric
                does not fit such a blend.
        """
        call = f"{type(self).__name__}().fit"
        if y is None or metric is None:
            missing = "y, the labels" if y is None else "metric, such as roc_auc"
            raise KitError(f"{call} needs {missing}: {call}(predictions, y, metric)")
        known = [*inspect.signature(OutOfFold).parameters][4:]
        if more:
            raise KitError(f"{call} takes what follows the names of the members by name: {', '.join(known)}")
        if unknown := [name for name in rows if name not in known]:
            raise KitError(f"{call} has no argument '{unknown[0]}'" + nearest(unknown[0], known))
        return self.fit_oof(OutOfFold(predictions, y, metric, names, **rows))

    def fit_oof(self, oof: OutOfFold) -> FittedBlend:
        """`fit` on an OutOfFold."""
        return self.learn(oof.as_float(self.compact))

    @abstractmethod
    def learn(self, oof: OutOfFold) -> FittedBlend:
        """Learns from checked predictions, float64 unless `compact`; to use a blend, call `fit` or `fit_oof`."""

    def settled(self, fitted: FittedBlend) -> "Blend":
        """The blend that was fitted in the end: this one, or the one that it chose (Auto)."""
        return self


class WeightedBlend(Blend):
    """Base class of blends with one weight for each member. A new one implements `weigh`."""

    ranks: ClassVar[bool] = False  # True: members are turned into ranks before they are averaged

    def learn(self, oof: OutOfFold) -> FittedBlend:
        shares = self.weigh(oof.predictions, oof.y, oof.metric)
        return WeightedMean(type(self).__name__, oof.names, tuple(map(float, shares)), self.ranks)

    @abstractmethod
    def weigh(self, predictions: np.ndarray, y: np.ndarray, metric: Metric) -> np.ndarray:
        """Weights (members,) that sum to 1."""

"""Metrics of the top of a list: precision and recall at k, NDCG.

Each row ranks its columns: the labels of a multilabel task, the classes of a multiclass one. Where there is one column,
all rows together are the list. Items of equal predictions share their places evenly.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kit.core.errors import KitError
from kit.metrics.arrays import class_indices, one_hot, same_columns
from kit.metrics.metric import Metric
from kit.metrics.names import FACTORIES, register

Measure = Literal["precision", "recall", "ndcg"]


@dataclass(frozen=True)
class ListStats:
    """(lists, 2): the score of each list, and whether it counts.

    Attributes:
        measure: precision, recall or normalized discounted cumulative gain (Järvelin & Kekäläinen 2002).
        k: places looked at; 0 for all.
    """

    measure: Measure
    k: int

    def __call__(self, y: np.ndarray, p: np.ndarray) -> np.ndarray | None:
        """None where all rows are one list, whose score is no sum over rows."""
        if (c := class_indices(y, p)) is not None:
            return self.of_lists(one_hot(c, p.shape[1]).astype(np.float64), p)
        return None if y.ndim == 1 else self.of_lists(*same_columns(y, p))

    def of_lists(self, gains: np.ndarray, p: np.ndarray, short: bool = False) -> np.ndarray:
        """The same of gains and predictions (lists, items); lists shorter than k are refused unless `short`.

        An item whose gain is missing (NaN) is no item of its list; a list without any item does not count.
        """
        k = self.k or p.shape[1]
        if k > p.shape[1] and not short:
            raise KitError(f"a list has {p.shape[1]} items, fewer than k = {k}")
        known = ~np.isnan(gains)
        gains, p = np.where(known, gains, 0), np.where(known, p, -np.inf)  # what is missing comes last
        if gains.min() < 0:
            raise KitError(f"labels must not be negative; found {gains.min():g}")
        items = known.sum(axis=1)
        counts = np.minimum(items, 1.0)
        if self.measure == "ndcg":
            discounts = 1 / np.log2(np.arange(min(k, p.shape[1])) + 2)
            found = tie_averaged(gains, p)[:, :k] @ discounts
            best = -np.sort(-gains, axis=1)[:, :k] @ discounts
            return np.stack([found / np.where(best > 0, best, 1), counts], axis=1)
        relevant = (gains >= 0.5).astype(np.float64)
        found, whole = tie_averaged(relevant, p)[:, :k].sum(axis=1), relevant.sum(axis=1)
        if self.measure == "precision":
            places = k if short else np.clip(items, 1, k)
            return np.stack([found / places, counts], axis=1)
        return np.stack([found / np.where(whole > 0, whole, 1), whole > 0], axis=1)  # nothing to find: left out


@dataclass(frozen=True)
class ListMean:
    """The mean of the lists' scores. Rows of one column are one list, maybe shorter than k: the few items of a user."""

    stats: ListStats

    def __call__(self, y: np.ndarray, p: np.ndarray) -> float:
        rows = self.stats(y, p)
        score, counts = (self.stats.of_lists(y[None], p[None], short=True) if rows is None else rows).sum(axis=0)
        return float(score / counts) if counts else np.nan


def mean_of_counted(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """The mean over the lists that count; nan where none does."""
    score, counts = sums
    return np.asarray(np.where(counts > 0, score / np.where(counts > 0, counts, 1), np.nan))


def tie_averaged(gains: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Gains (lists, items) in the order of falling predictions; items of equal predictions each get their mean gain."""
    order = np.argsort(-p, axis=1, kind="stable")
    ranked, gains = np.take_along_axis(p, order, 1), np.take_along_axis(gains, order, 1)
    starts = np.ones(p.shape, dtype=bool)
    starts[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    run = np.cumsum(starts.ravel()) - 1
    return np.asarray((np.bincount(run, gains.ravel()) / np.bincount(run))[run].reshape(p.shape))


def _metric(name: str, measure: Measure, k: float) -> Metric:
    if k < 0 or k != int(k):
        raise KitError(f"{name}: k is a whole number of places, at least 1")
    stats = ListStats(measure, int(k))
    return Metric(
        ListMean(stats), name, row_stats=stats, from_sums=mean_of_counted, greater_is_better=True, needs="rank",
        gaps=True,
    )  # fmt: skip


def precision_at(k: float) -> Metric:
    """Share of the first k items that are relevant (label at least 0.5)."""
    return _metric(f"precision_at({k:g})", "precision", k or -1)


def recall_at(k: float) -> Metric:
    """Share of the relevant items (label at least 0.5) that are among the first k; lists without any are left out."""
    return _metric(f"recall_at({k:g})", "recall", k or -1)


def ndcg_at(k: float) -> Metric:
    """Normalized discounted cumulative gain of the first k items; a list without gains scores 0."""
    return _metric(f"ndcg_at({k:g})", "ndcg", k or -1)


ndcg = _metric("ndcg", "ndcg", 0)

register(ndcg)
FACTORIES.update({"precision_at": precision_at, "recall_at": recall_at, "ndcg_at": ndcg_at})

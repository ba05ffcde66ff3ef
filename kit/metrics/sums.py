"""Scores of many sets of rows from sums over rows: what bootstrap, thresholds and ensemble search have in common."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kit.core.errors import KitError
from kit.metrics.metric import Metric

WIDEST = 100_000_000  # row statistics that are held at once: 800 MB


@dataclass(frozen=True)
class RowSums:
    """Row statistics of some predictions, and the score of sums of them.

    Attributes:
        metric: the metric.
        rows: (n, parts * k) float64 statistics of each row.
        parts: columns that are scored by themselves; 1 where all are scored together.
    """

    metric: Metric
    rows: np.ndarray
    parts: int

    def scores(self, sums: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Scores (m,) of m sets of rows from the sums (parts * k, m) of `rows` and the numbers of rows (m,)."""
        return scores_of_sums(self.metric, self.parts, sums, n)


def row_sums(metric: Metric, y: np.ndarray, p: np.ndarray) -> RowSums | None:
    """The row statistics of labels (n, targets) and predictions (n, outputs); None where the metric has none of them.

    It has none, too, where they would not fit into memory.

    Raises:
        KitError: their sums do not give the metric's own value.
    """
    first = part_stats(metric.take(slice(1)), y[:1], p[:1])
    if first is None or len(first) * first[0].size * len(y) > WIDEST:
        return None
    stats = part_stats(metric, y, p)
    assert stats is not None
    rows = stats[0] if len(stats) == 1 else np.hstack(stats)
    found = RowSums(metric, rows.astype(np.float64, copy=False), len(stats))
    if metric.fn is not None and metric.family is None:  # a person's own may be wrong
        check_sums(metric, metric(y, p), float(found.scores(found.rows.sum(axis=0)[:, None], np.array([len(y)]))[0]))
    return found


def part_stats(metric: Metric, y: np.ndarray, p: np.ndarray) -> list[np.ndarray] | None:
    """Row statistics (n, k) of each part of labels (n, targets) and predictions (n, outputs): of columns, or of all."""
    if metric.row_stats is None:
        return None
    if splits(metric, y, p):
        columns = [metric.stats(y[:, j], p[:, j]) for j in range(y.shape[1])]
    else:
        columns = [metric.stats(*(a[:, 0] if a.shape[1] == 1 else a for a in (y, p)))]
    found = [stats for stats in columns if stats is not None]
    return found if len(found) == len(columns) else None


def splits(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether each column of labels (n, targets) and predictions (n, outputs) is scored by itself, and a mean taken."""
    return metric.by_column and y.shape[1] == p.shape[1] and (y.shape[1] > 1 or bool(metric.column_weights))


def scores_of_sums(metric: Metric, parts: int, sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Scores (m,) of m sets of rows from the sums (parts * k, m) of `part_stats` and the numbers of rows (m,)."""
    if parts == 1 and not metric.column_weights:
        return metric.of_sums(sums, n)
    each = sums.reshape(parts, -1, sums.shape[-1]).transpose(1, 0, 2)  # (k, parts, m)
    scores = metric.of_sums(each.reshape(len(each), -1), np.tile(n, parts))
    return metric.mean_of_columns(scores.reshape(parts, -1))


def check_sums(metric: Metric, value: float, of_sums: float) -> None:
    """Refuses a metric whose function and whose row statistics give different scores for the same rows."""
    if not np.isclose(value, of_sums, rtol=1e-4, atol=1e-8, equal_nan=True):
        raise KitError(
            f"{metric.name}: row_stats and from_sums give {of_sums:g}, but the function gives {value:g} for the same "
            "rows"
        )


# ---- decisions ---------------------------------------------------------------------------------


def decides_by_column(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether the score of labels (n, targets) follows from how each column alone is cut into yes and no.

    Then the best threshold of a column is found from the row statistics of its yes and no.
    """
    if metric.threshold is None or metric.row_stats is None or metric.columns or y.shape[1] != p.shape[1]:
        return False
    return y.shape[1] == 1 or metric.by_column or metric.is_mean_of_rows


@dataclass(frozen=True)
class Kinds:
    """The rows of a column of labels by what they add to the sums when a no becomes a yes; of F1 there are two kinds.

    Attributes:
        base: (k,) the sums if every prediction were a no.
        changes: (kinds, k) what a yes of a row of each kind adds to them.
        of_row: (n,) each row's kind: bool where there are two at most.
    """

    base: np.ndarray
    changes: np.ndarray
    of_row: np.ndarray

    def sums(self, yes: np.ndarray) -> np.ndarray:
        """Sums (k, m) of m sets of decisions, by the number of yeses (kinds, m) among the rows of each kind."""
        return np.asarray(self.base[:, None] + self.changes.T @ yes)


def kinds_of_rows(metric: Metric, y: np.ndarray) -> Kinds:
    """The kinds of a column of labels (n,), from the row statistics of a metric with a threshold."""
    label: np.ndarray
    yes = y >= 0.5
    if (y == yes).all():  # hard labels: a sort is spared
        count, (no, agreed) = np.count_nonzero(yes), _of_hard_labels(metric)
        counts, label = np.array([len(y) - count, count]), yes
        if (agreed[0] - no[0]).tolist() != (agreed[1] - no[1]).tolist():
            return Kinds(counts @ no, agreed - no, yes)
    else:
        values, at, counts = np.unique(y, return_inverse=True, return_counts=True)
        label = at.reshape(-1)
        no, agreed = _no_and_yes(metric, values)
    changes, kind = np.unique(agreed - no, axis=0, return_inverse=True)
    kind = kind.reshape(-1)[label.astype(np.intp)]
    return Kinds(counts @ no, changes, kind == 1 if len(changes) <= 2 else kind)


@lru_cache(maxsize=64)  # folds and columns ask for the same again and again
def _of_hard_labels(metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    return _no_and_yes(metric, np.array([0.0, 1.0]))


def _no_and_yes(metric: Metric, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row statistics (labels, k) where each label is predicted a no, and where it is predicted a yes."""
    assert metric.threshold is not None
    low, high = min(0.0, metric.threshold - 1), max(1.0, metric.threshold)
    stats = metric.stats(np.concatenate([labels, labels]), np.repeat([low, high], len(labels)))
    assert stats is not None
    no, agreed = stats.astype(np.float64).reshape(2, len(labels), -1)
    return no, agreed

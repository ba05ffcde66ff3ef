"""Weighted metrics: by column of the labels, and by a column of the rows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.metrics.metric import Metric
from kit.metrics.names import FACTORIES, parts


def column_weighted(metric: Metric, *weights: float) -> Metric:
    """The weighted mean of a metric's scores of each column: `column_weighted(log_loss, 1, 1, 2)`.

    Columns whose score is nan are left out, with their weights.
    """
    if not isinstance(metric, Metric):
        raise KitError(f"column_weighted: {metric!r} is no metric; write column_weighted(log_loss, 1, 2)")
    if not weights:
        raise KitError(f"column_weighted({metric.name}): give one weight a column, such as 1, 1, 2")
    name, threshold = parts(metric.name)
    kinds = tuple(kind for kind in ("multilabel", "regression") if not metric.kinds or kind in metric.kinds)
    text = ",".join(f"{weight:g}" for weight in weights)
    return replace(
        metric,
        name=f"column_weighted({name},{text})" + (f"@{threshold}" if threshold else ""),
        by_column=True,
        gaps=False,  # each column is scored over its known rows
        column_weights=tuple(map(float, weights)),
        kinds=kinds or ("multilabel",),  # a metric of one column scores each of several
        family="auc" if metric.family == "auc" else None,  # other kernels know no weights
    )


# ---- by row ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WeightedRows:
    """(n, k + 1): a metric's row statistics times the row's weight, and the weight."""

    metric: Metric
    column: str

    def __call__(self, y: np.ndarray, p: np.ndarray, *further: Any) -> np.ndarray | None:
        """As `Metric.row_stats`; `further` ends with the frame of the rows' columns."""
        *threshold, rows = further
        metric = replace(self.metric, threshold=threshold[0]) if threshold else self.metric
        weights = _weights(rows[self.column], self.column)
        stats = metric.stats(y, p)
        return None if stats is None else np.column_stack([stats * weights[:, None], weights])


@dataclass(frozen=True)
class WeightedScore:
    """The score of the sums of `WeightedRows`: a row of weight 2 counts as two rows."""

    metric: Metric

    def __call__(self, sums: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Scores (m,) of sums (k + 1, m); nan where all weights are 0."""
        weight = np.where(sums[-1] > 0, sums[-1], np.nan)
        return self.metric.of_sums(sums[:-1], weight)


def row_weighted(metric: Metric, column: str) -> Metric:
    """A metric in which each row counts as much as a column of it says: `row_weighted(mae, "weight")`.

    The column need not be seen by members: name it in `Task.aside`.

    Raises:
        KitError: the score is not made of sums over rows, as that of ROC AUC.
    """
    if not isinstance(metric, Metric):
        raise KitError(f'row_weighted: {metric!r} is no metric; write row_weighted(mae, "weight")')
    if metric.row_stats is None:
        raise KitError(f"row_weighted({metric.name}): it is no score of sums over rows, so rows have no weight")
    if metric.columns:
        raise KitError(f"row_weighted({metric.name}): it reads columns itself; weigh the metric inside it")
    name, threshold = parts(metric.name)
    return replace(
        metric,
        fn=None,
        name=f"row_weighted({name},{column!r})" + (f"@{threshold}" if threshold else ""),
        row_stats=WeightedRows(metric.at_half(), column),
        from_sums=WeightedScore(metric.at_half()),
        family=None,  # kernels know no weights
        columns=(column,),
    )


def _weights(values: Any, column: str) -> np.ndarray:
    try:
        weights = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise KitError(f"column '{column}' holds weights, which must be numbers") from None
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise KitError(f"column '{column}' holds weights, which must be numbers from 0; it has {values.min()}")
    return weights


FACTORIES["column_weighted"] = column_weighted
FACTORIES["row_weighted"] = row_weighted

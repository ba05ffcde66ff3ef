"""Metrics by group: the score of each group of rows, then the mean over groups.

It is how contests score cities, users or queries alike, however many rows each has: `by_group(rmse, "city")`. Of
metrics of a list it is the usual mean over queries: `by_group(ndcg_at(10), "query")`, `by_group(precision_at(5),
"user")`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.core.errors import KitError
from kit.metrics.bootstrap import resample_scorer
from kit.metrics.functions import ScoreOfCounts
from kit.metrics.metric import Metric
from kit.metrics.names import FACTORIES, parts
from kit.metrics.sums import check_sums, part_stats, scores_of_sums

if TYPE_CHECKING:
    import pandas as pd

GroupWeights = tuple[tuple[Any, float], ...]  # of groups by their value


@dataclass(frozen=True)
class GroupMean:
    """The mean of a metric's scores of each group; groups without a score are left out, with their weight.

    Attributes:
        metric: of the rows of a group.
        by: columns whose values make a group; missing values are a value of their own.
        weights: "equal": each group counts the same; "rows": as many times as it has rows; else by the group's value.
    """

    metric: Metric
    by: tuple[str, ...]
    weights: str | GroupWeights = "equal"

    def __call__(self, y: np.ndarray, p: np.ndarray, *further: Any) -> float:
        """The score of labels and predictions, (n,) or (n, columns); `further` as `Metric.fn` is given it."""
        codes, groups, metric = self._groups(*further)
        return float(_mean(_scores(metric, y, p, codes, groups)[:, None], self._weights(codes, groups)[:, None])[0])

    def score_of_counts(self, y: np.ndarray, p: np.ndarray, *further: Any) -> ScoreOfCounts:
        """Scores resamples; each group by the quickest way that its metric has.

        Where a resample draws whole groups, a group that is drawn twice counts twice and its own score stays what it
        is: the rows of a query that was drawn twice are not one list of twice the length.
        """
        codes, groups, metric = self._groups(*further)
        scores, weights = _scores(metric, y, p, codes, groups), self._weights(codes, groups)
        order = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes))
        starts = ends - np.bincount(codes)
        scorers: dict[int, ScoreOfCounts] = {}

        def scorer(group: int) -> ScoreOfCounts:
            if group not in scorers:
                rows = order[starts[group] : ends[group]]
                scorers[group] = resample_scorer(metric.take(rows), y[rows], p[rows])
            return scorers[group]

        def score(counts: np.ndarray) -> np.ndarray:
            counts = counts[order]
            least, most = (reduce.reduceat(counts, starts, axis=0) for reduce in (np.minimum, np.maximum))
            found = np.where(most > 0, scores[:, None], np.nan)
            split = least != most
            for group in np.flatnonzero(split.any(axis=1)):
                at = split[group]
                found[group, at] = scorer(int(group))(counts[starts[group] : ends[group]][:, at])
            times = np.where(split.any(axis=0), most > 0, least)
            if self.weights == "rows":
                return _mean(found, np.add.reduceat(counts, starts, axis=0, dtype=np.float64))
            return _mean(found, weights[:, None] * times)

        return score

    @property
    def column_weights(self) -> tuple[float, ...]:
        """Those of the metric, which the mean over targets has where labels are missing."""
        return self.metric.column_weights

    def alone(self) -> "GroupMean":
        """The same of one target alone, see `Metric.alone`."""
        return replace(self, metric=self.metric.alone())

    def _groups(self, *further: Any) -> "tuple[np.ndarray, pd.Index, Metric]":
        """The group of each row, by number; the groups' values; and the metric, ready for these rows."""
        *threshold, rows = further
        metric = replace(self.metric, threshold=threshold[0]) if threshold else self.metric
        codes, groups = group_codes(rows, self.by)
        return codes, groups, metric.on(rows)

    def _weights(self, codes: np.ndarray, groups: "pd.Index") -> np.ndarray:
        if self.weights == "equal":
            return np.ones(len(groups))
        if self.weights == "rows":
            return np.bincount(codes, minlength=len(groups)).astype(float)
        given, named = dict(self.weights), _named(groups)  # type: ignore[arg-type]
        if unknown := [group for group in named if group not in given]:
            raise KitError(f"group {unknown[0]!r} of {' and '.join(self.by)} has no weight")
        return np.array([given[group] for group in named], dtype=float)


def by_group(metric: Metric, *columns: str, weights: str | Mapping[Any, float] = "equal") -> Metric:
    """The mean of a metric's scores of each group of rows: `by_group(rmse, "city")`.

    Args:
        metric: of the rows of a group; a group for which it is nan, such as ROC AUC of one class, is left out.
        columns: whose values make a group. They need not be seen by members: name them in `Task.aside`.
        weights: "equal": each group counts the same; "rows": as many times as it has rows; or group → weight.

    Raises:
        KitError: no column is named, or weights are none of these.
    """
    if not isinstance(metric, Metric):
        raise KitError(f'by_group: {metric!r} is no metric; write by_group(rmse, "city")')
    if not columns or not all(isinstance(column, str) for column in columns):
        raise KitError(f'by_group({metric.name}): name the columns whose values make a group, such as "city"')
    if isinstance(weights, str) and weights not in ("equal", "rows"):
        raise KitError(
            f'by_group({metric.name}): weights = {weights!r}; give "equal", "rows", or a weight of each group'
        )
    given = weights if isinstance(weights, str) else tuple((group, float(weight)) for group, weight in weights.items())
    if not isinstance(given, str) and not (given and min(w for _, w in given) >= 0 < sum(w for _, w in given) < np.inf):
        raise KitError(f"by_group({metric.name}): weights are numbers from 0, not all of them 0")
    name, threshold = parts(metric.name)
    shown = "" if weights == "equal" else f",weights={given if isinstance(given, str) else dict(given)!r}"
    text = f"by_group({name},{','.join(map(repr, columns))}{shown})" + (f"@{threshold}" if threshold else "")
    return Metric(
        GroupMean(metric.at_half(), columns, given), text,
        greater_is_better=metric.greater_is_better, needs=metric.needs, needs_variety=metric.needs_variety,
        threshold=metric.threshold, separable=metric.by_column or metric.separable, gaps=metric.gaps,
        kinds=metric.kinds, columns=tuple(dict.fromkeys([*columns, *metric.columns])),
    )  # fmt: skip


def group_codes(rows: "pd.DataFrame", columns: tuple[str, ...]) -> "tuple[np.ndarray, pd.Index]":
    """The group of each row, (n,) numbers from 0, and the value of each group, of several columns one of several."""
    import pandas as pd  # where it is used: importing metrics stays light

    keys = rows[columns[0]] if len(columns) == 1 else pd.MultiIndex.from_frame(rows[list(columns)])
    codes, values = pd.factorize(keys, use_na_sentinel=False)
    return codes, pd.Index(values)


def _named(values: "pd.Index") -> list[Any]:
    """The values of groups as a person writes them: of several columns a tuple; None where one is missing."""
    plain = [value if isinstance(value, tuple) else (value,) for value in values.tolist()]
    known = [tuple(None if one != one or one is None else one for one in value) for value in plain]
    return [value if values.nlevels > 1 else value[0] for value in known]


def _scores(metric: Metric, y: np.ndarray, p: np.ndarray, codes: np.ndarray, groups: "pd.Index") -> np.ndarray:
    """The score of each group (groups,); from sums over its rows where the metric has such."""
    size = np.bincount(codes, minlength=len(groups))
    labels, predictions = y.reshape(len(y), -1), p.reshape(len(p), -1)
    if (stats := part_stats(metric, labels, predictions)) is not None:
        columns = [column for part in stats for column in part.T]
        sums = np.stack([np.bincount(codes, column, len(groups)) for column in columns])
        if metric.fn is not None and metric.family is None:  # a person's own may be wrong
            whole = scores_of_sums(metric, len(stats), sums.sum(axis=1, keepdims=True), np.array([len(y)]))
            check_sums(metric, metric(y, p), float(whole[0]))
        return scores_of_sums(metric, len(stats), sums, size)
    order = np.argsort(codes, kind="stable")
    found = np.empty(len(groups))
    for group, rows in enumerate(np.split(order, np.cumsum(size)[:-1])):
        try:
            found[group] = metric.take(rows)(y[rows], p[rows])
        except KitError as error:
            raise KitError(f"group {_named(groups)[group]!r}: {error}") from None
    return found


def _mean(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Means (m,) of scores (groups, m) by weights (groups, m); nan where no group counts that has a score."""
    known = ~np.isnan(scores)
    whole = (weights * known).sum(axis=0)
    return np.asarray((weights * np.where(known, scores, 0)).sum(axis=0) / np.where(whole > 0, whole, np.nan))


FACTORIES["by_group"] = by_group

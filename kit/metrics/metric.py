"""Metric: a function of labels and predictions, and how its value is read and computed."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.core.errors import KitError, nearest
from kit.core.source_digest import source_digest
from kit.metrics.arrays import float_array, same_columns
from kit.metrics.call import with_explained_calls
from kit.metrics.functions import (
    Absent,
    Family,
    FromSums,
    MadeOfMetric,
    Needs,
    RowStats,
    ScoreOfCounts,
    ScoresResamples,
    called,
)
from kit.metrics.gaps import Known, has_gaps, known_of_targets, mean_of_known
from kit.metrics.names import found, parts

if TYPE_CHECKING:
    import pandas as pd

# fields that `to_setting` keeps
SAVED = {"name", "greater_is_better", "needs", "needs_variety", "threshold", "kinds", "columns"}


@with_explained_calls
@dataclass(frozen=True)
class Metric:
    """A named score of predictions against labels. Hashable and picklable; equal if all settings are equal.

    Your own is one line: `Metric(my_function, greater_is_better=True)`. The function gets finite arrays of equal
    length, (n,) where there is one column and (n, outputs) otherwise.

    Many metrics are a function of sums over rows. Write such a metric as `row_stats`, what each row adds, and
    `from_sums`, the score of the sums: bootstrap, thresholds and ensemble search are then fast. F1, for example:

        def row_stats(y, p, threshold):
            return np.stack([(y == 1) & (p >= threshold), y == 1, p >= threshold], axis=1)

        def from_sums(sums, n):
            hits, positive, predicted = sums
            return 2 * hits / np.maximum(positive + predicted, 1)

    A metric that reads columns of the rows, beside labels and predictions, names them in `columns`. `on` gives it these
    columns, and `take` some of their rows. `by_group` and `row_weighted` make such metrics.

    With several targets, labels may be missing (NaN). Each target is then scored over its known rows, and the score is
    the mean over targets, weighted by `column_weights` if given. A metric that is no mean over columns refuses missing
    labels, unless its functions leave them out themselves (`gaps`).

    Attributes:
        fn: `(y, p) -> float`, or `(y, p, threshold) -> float` where a threshold is set; where `columns` are named, a
            frame of them is the last argument. None: the value is computed from the sums of `row_stats`.
        name: name in reports and for `metric_named`; by default that of the function.
        greater_is_better: False for losses and errors.
        needs: what counts in a prediction: a calibrated probability, a label, a whole grade, only the order (rank), or
            a value. If it is a label, `row_stats` may use only the decision: `p >= threshold`, or the class of the
            highest probability.
        needs_variety: a target column whose labels are all equal has no score (nan).
        threshold: a prediction of at least this much is a yes.
        by_column: the score of several columns is the mean of the score of each, without those that are nan; `fn`,
            `row_stats` and `from_sums` then see one column (n,) at a time. Class indices (n,) beside probabilities
            (n, classes) reach them as they are.
        column_weights: of that mean; empty: all equal.
        separable: the same mean over columns, but the functions see all columns at once.
        gaps: its functions see all columns at once, and leave out missing labels (NaN).
        row_stats: `(y, p) -> (n, k)`, or (n,) for k = 1, with threshold and columns like `fn`. The numbers of a row
            depend only on this row. None instead of an array: there are no such sums for these shapes.
        from_sums: `(sums (k, m), n (m,)) -> (m,)` scores of m sets of rows from their sums and numbers of rows. None:
            the mean of the row statistics over rows and over k.
        family: the metric is one of these, for all columns or each column; compiled kernels then compute it faster.
        kinds: kinds of task that it can score; empty: any.
        columns: columns of the rows that it reads; members need not see them (`Task.aside`).
        bound: (n, columns) these columns of the rows that it scores, see `on`.
    """

    fn: Callable[..., float] | None = None
    name: str = ""
    _: KW_ONLY
    greater_is_better: bool
    needs: Needs = "value"
    needs_variety: bool = False
    threshold: float | None = None
    by_column: bool = False
    column_weights: tuple[float, ...] = ()
    separable: bool = False
    gaps: bool = False
    row_stats: RowStats | None = None
    from_sums: FromSums | None = None
    family: Family | None = None
    kinds: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    bound: "pd.DataFrame | None" = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.fn, str) and callable(self.name):  # either may come first
            for attribute, value in {"fn": self.name, "name": self.fn}.items():
                object.__setattr__(self, attribute, value)
        fn = self.fn if self.fn is not None else self.row_stats
        if not callable(fn):
            raise KitError(f"Metric: {fn!r} is no function; write Metric(my_function, greater_is_better=True)")
        if self.from_sums is not None and self.row_stats is None:
            raise KitError("Metric: from_sums scores the sums of row_stats; give row_stats too")
        if self.column_weights and not (min(self.column_weights) >= 0 < sum(self.column_weights) < np.inf):
            raise KitError(f"Metric: column_weights = {self.column_weights}; give numbers from 0, not all of them 0")
        name = self.name or getattr(fn, "__name__", "<lambda>")
        if name == "<lambda>":
            raise KitError("Metric: this function has no name; write Metric(…, name='mine', greater_is_better=True)")
        object.__setattr__(self, "name", name)
        if isinstance(self.columns, str):
            object.__setattr__(self, "columns", (self.columns,))

    def __call__(self, y: Any, p: Any) -> float:
        """Scores (n,) or (n, outputs) predictions by labels of the same shape, or by class indices (n,) or (n, 1).

        Raises:
            KitError: shapes that do not match, no rows, NaN, infinity, labels that the metric cannot read, a target
                without any label, or an error inside the function.
        """
        try:
            y, p = float_array(y, "labels", gaps=True), float_array(p, "predictions")
            if len(y) != len(p):
                raise KitError(f"{len(y)} rows of labels but {len(p)} rows of predictions")
            if self.columns:
                self._check_columns(len(y))
            if has_gaps(y) and not self.gaps:
                scores = [metric._value(*known[1:]) for metric, known in self.of_targets(y, p)]
                return float(self.mean_of_columns(np.array(scores)))
            if not self.by_column or (y.ndim == 1 and not self.column_weights):
                return self._value(y, p)
            y, p = same_columns(y, p)
            return float(self.mean_of_columns(self._of_columns(y, p)))
        except KitError as error:
            raise KitError(f"{self.name}: {error}") from None

    def _value(self, y: np.ndarray, p: np.ndarray) -> float:
        if self.fn is not None:
            return float(called(self.fn, y, p, *self._further))
        if (rows := self.stats(y, p)) is None:
            raise KitError(f"it has no value for labels of shape {y.shape} and predictions of shape {p.shape}")
        if self.from_sums is None:
            return float(rows.mean())
        return float(self.from_sums(_totals(rows)[:, None], np.array([len(y)]))[0])

    def _of_columns(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The score of each column (columns,)."""
        columns = range(y.shape[1])
        if self.fn is not None or self.from_sums is None:
            return np.array([self._value(y[:, j], p[:, j]) for j in columns])
        stats = [self.stats(y[:, j], p[:, j]) for j in columns]
        sums = np.array([_totals(rows) for rows in stats if rows is not None]).T
        return np.asarray(self.from_sums(sums, np.full(len(columns), len(y))))

    def score_of_counts(self, y: np.ndarray, p: np.ndarray) -> ScoreOfCounts | None:
        """What scores resamples of these rows where the metric's function has a way of its own, else None."""
        return self.fn.score_of_counts(y, p, *self._further) if isinstance(self.fn, ScoresResamples) else None

    @property
    def _further(self) -> tuple[Any, ...]:
        """What its functions are given beside labels and predictions."""
        further: tuple[Any, ...] = () if self.threshold is None else (self.threshold,)
        return further if self.bound is None else (*further, self.bound)

    # ---- targets with gaps ---------------------------------------------------------------------

    def alone(self) -> "Metric":
        """The metric of one target alone: without weights of several."""
        if isinstance(self.fn, MadeOfMetric):
            return replace(self, fn=self.fn.alone(), column_weights=())
        return replace(self, column_weights=()) if self.column_weights else self

    def of_targets(self, y: np.ndarray, p: np.ndarray) -> "list[tuple[Metric, Known]]":
        """Of each target of labels (n, targets) with gaps: the metric of its known rows, and these.

        Raises:
            KitError: the metric scores all targets of a row together, or a target has no label.
        """
        if not (self.by_column or self.separable):
            raise KitError(
                f"labels are missing in {int(np.isnan(y).any(axis=1).sum())} of {len(y)} rows, and it scores all "
                "targets of a row together; a metric with by_column=True scores each target over its known rows"
            )
        alone = self.alone()
        return [(alone.take(known[0]), known) for known in known_of_targets(y, p)]

    # ---- columns of the rows -------------------------------------------------------------------

    def on(self, rows: "pd.DataFrame") -> "Metric":
        """The same metric for these rows: it holds their `columns`. Without columns it is the metric as it is.

        Raises:
            KitError: a column is missing; names the nearest.
        """
        if not self.columns:
            return self
        known = list(map(str, rows.columns))
        if missing := [name for name in self.columns if name not in known]:
            raise KitError(
                f"metric {self.name} reads column '{missing[0]}' of the rows, which they do not have"
                + nearest(missing[0], known)
            )
        return replace(self, bound=rows[list(self.columns)].reset_index(drop=True))

    def take(self, rows: Any) -> "Metric":
        """The same metric for some of the rows that it was given by `on`: a mask (n,), positions or a slice."""
        return self if self.bound is None else replace(self, bound=self.bound.iloc[rows].reset_index(drop=True))

    def _check_columns(self, n: int) -> None:
        names = " and ".join(f"'{name}'" for name in self.columns)
        if self.bound is None:
            raise KitError(f"it reads {names} of the rows; give it their frame: metric.on(frame)(y, p)")
        if len(self.bound) != n:
            raise KitError(f"{n} rows of labels but {len(self.bound)} rows of {names}")

    # ---- sums over rows ------------------------------------------------------------------------

    @property
    def is_mean_of_rows(self) -> bool:
        """Whether the score is a plain mean of row statistics, so that rows and columns add to it independently."""
        return self.row_stats is not None and self.from_sums is None

    def stats(self, y: np.ndarray, p: np.ndarray) -> np.ndarray | None:
        """What each row adds, (n, k); None where there is nothing of the kind for these shapes."""
        if self.columns:
            self._check_columns(len(y))
        rows = None if self.row_stats is None else called(self.row_stats, y, p, *self._further, name="row_stats: ")
        return None if rows is None else np.asarray(rows).reshape(len(y), -1)

    def of_sums(self, sums: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Scores (m,) of m sets of rows by the sums (k, m) of their statistics and their numbers of rows (m,)."""
        return np.asarray(sums.mean(axis=0) / n if self.from_sums is None else self.from_sums(sums, n))

    def mean_of_columns(self, scores: np.ndarray) -> np.ndarray:
        """Mean over columns (columns, …) of the scores that are known, by `column_weights`; nan where none is."""
        inside = self.fn.column_weights if isinstance(self.fn, MadeOfMetric) else ()
        return mean_of_known(scores, self.column_weights or inside)

    # ---- the record ----------------------------------------------------------------------------

    def identity(self) -> str | list[str]:
        """What stands for it in a key: its name; of a metric that is not kit's own, also a digest of its code."""
        return self.name if self.is_kits else [self.name, source_digest(replace(self, bound=None))]

    @property
    def is_kits(self) -> bool:
        """Whether it is one of kit's own metrics, found by its name."""
        try:
            return metric_named(self.name) == self
        except KitError:
            return False

    def __str__(self) -> str:
        return self.name

    def to_setting(self) -> str | dict[str, Any]:
        """How a spec that holds it is saved: its name; of a metric that is not kit's own all but its functions."""
        return self.name if self.is_kits else {name: getattr(self, name) for name in sorted(SAVED)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # lets a spec's field take a metric or the name it was saved by

        return core_schema.no_info_plain_validator_function(_given)

    def at(self, threshold: float) -> "Metric":
        """The same metric with another threshold, which its name shows: `f1@0.3`."""
        if self.threshold is None or not np.isfinite(threshold):
            raise KitError(f"metric '{self.name}' takes no threshold {threshold}")
        return replace(self, name=f"{parts(self.name)[0]}@{float(threshold)}", threshold=float(threshold))

    def at_half(self) -> "Metric":
        """The same metric at 0.5 under its plain name, where it has a threshold: a metric around it sets its own."""
        return self if self.threshold is None else replace(self, name=parts(self.name)[0], threshold=0.5)

    @property
    def worst(self) -> float:
        """A score that is worse than every finite score."""
        return -np.inf if self.greater_is_better else np.inf

    def better(self, a: float, b: float) -> bool:
        """Whether score `a` is better than score `b`; every number is better than NaN."""
        return bool(np.isnan(b) and not np.isnan(a)) or (a > b if self.greater_is_better else a < b)


def _totals(rows: np.ndarray) -> np.ndarray:
    """Sums (k,) of row statistics (n, k)."""
    # a bool column in one piece is counted many times faster than it is summed
    return np.array([np.count_nonzero(c) for c in rows.T]) if rows.dtype == bool else np.asarray(rows.sum(axis=0))


def metric_named(name: str) -> Metric:
    """The metric of this name; `f1@0.3` is f1 with that threshold, `f_beta(2)` is made with this setting.

    Raises:
        KitError: there is none; it names the nearest.
    """
    metric: Metric = found(name)
    return metric


def _given(value: Any) -> Metric:
    """What stands in a spec's field: a metric, the name of one, or what `to_setting` gave."""
    if isinstance(value, Metric):
        return value
    if isinstance(value, dict) and value.keys() == SAVED:
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
        return Metric(Absent(value["name"]), **fields)
    if callable(value):
        name = getattr(value, "__name__", "my_function")
        raise KitError(f"'{name}' is a function; write Metric({name}, greater_is_better=True), or False for a loss")
    return metric_named(str(value))

"""Metrics: plain functions of labels and predictions, and the record that says how to read their value."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from kit.spec import KitError, nearest


@dataclass(frozen=True)
class Metric:
    """A named score of predictions against labels: hashable, picklable, equal where its settings are.

    Your own is one line: `Metric("mine", my_function, greater_is_better=True, needs="value")`. The function gets finite
    arrays of equal length, (n,) where there is one column and (n, outputs) otherwise.

    Attributes:
        name: what reports print and `metric_named` finds.
        fn: `(y, p) -> float`, or `(y, p, threshold) -> float` where a threshold is set.
        needs: what of a prediction counts: a calibrated probability, a label, only the order (rank), or a value.
        needs_variety: a target column whose labels are all equal cannot be judged and scores nan.
        threshold: a prediction of at least this much says yes.
    """

    name: str
    fn: Callable[..., float]
    greater_is_better: bool
    needs: Literal["probability", "label", "rank", "value"]
    needs_variety: bool = False
    threshold: float | None = None

    def __call__(self, y: Any, p: Any) -> float:
        """Scores (n,) or (n, outputs) predictions by labels of the same shape, or by class indices (n,) or (n, 1).

        Shapes that do not match, no rows, NaN, infinity and labels that the metric cannot read are KitErrors.
        """
        y, p = self._checked(y, "labels"), self._checked(p, "predictions")
        if len(y) != len(p):
            raise KitError(f"{self.name}: {len(y)} rows of labels but {len(p)} rows of predictions")
        try:
            return float(self.fn(y, p) if self.threshold is None else self.fn(y, p, self.threshold))
        except KitError as error:
            raise KitError(f"{self.name}: {error}") from None

    def _checked(self, values: Any, role: str) -> np.ndarray:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise KitError(f"{self.name}: {role} must be numbers, not {array.dtype}")
        if array.ndim not in (1, 2) or not array.size:
            raise KitError(f"{self.name}: {role} have shape {array.shape}, not (rows,) or (rows, outputs)")
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if bad.any():
            where = f"{int(bad.sum())} of {len(bad)} rows, the first at position {int(bad.argmax())}"
            raise KitError(f"{self.name}: {role} are NaN or infinite in {where}")
        array = array if array.dtype.kind == "f" else array.astype(np.float64)  # a float's width decides what ties
        return array[:, 0] if array.shape[1:] == (1,) else array

    def __str__(self) -> str:
        return self.name  # a spec that holds a metric is dumped, and fingerprinted, by the metric's name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # lets a spec's field take a metric or the name it was dumped by

        return core_schema.no_info_plain_validator_function(lambda v: v if isinstance(v, cls) else metric_named(str(v)))

    def at(self, threshold: float) -> "Metric":
        """The same metric with another threshold, and a name that says so: `f1@0.3`."""
        if self.threshold is None or not np.isfinite(threshold):
            raise KitError(f"metric '{self.name}' takes no threshold {threshold}")
        return replace(self, name=f"{self.name.partition('@')[0]}@{float(threshold)}", threshold=float(threshold))

    @property
    def worst(self) -> float:
        """What every finite score beats."""
        return -np.inf if self.greater_is_better else np.inf

    def better(self, a: float, b: float) -> bool:
        """Whether score `a` beats score `b`; nan beats nothing and every number beats nan."""
        return bool(np.isnan(b) and not np.isnan(a)) or (a > b if self.greater_is_better else a < b)


def unjudged(metric: Metric, y: Any) -> list[int]:
    """Positions of the target columns that `metric` cannot judge by these labels, (n,) or (n, targets)."""
    labels = np.atleast_2d(np.asarray(y).T).T
    seen = labels >= 0.5 if metric.needs == "rank" else labels
    return np.flatnonzero((seen == seen[:1]).all(axis=0)).tolist() if metric.needs_variety else []


def metric_named(name: str) -> Metric:
    """The metric of this name; `f1@0.3` is f1 with that threshold; a KitError names the nearest where there is none."""
    base, at, threshold = name.partition("@")
    if base not in METRICS:
        raise KitError(f"unknown metric '{name}'" + nearest(base, list(METRICS)))
    try:
        return METRICS[base].at(float(threshold)) if at else METRICS[base]
    except ValueError:
        raise KitError(f"metric '{name}': threshold '{threshold}' is not a number") from None


def _columns(y: np.ndarray, p: np.ndarray, binary: bool = False) -> tuple[np.ndarray, np.ndarray]:
    y, p = y.reshape(len(y), -1), p.reshape(len(p), -1)
    if y.shape != p.shape:
        raise KitError(f"labels have {y.shape[1]} columns but predictions have {p.shape[1]}")
    if binary and (y.min() < 0 or y.max() > 1):
        raise KitError(f"labels must lie between 0 and 1; found {y.min() if y.min() < 0 else y.max():g}")
    return y, p


def _classes(y: np.ndarray, p: np.ndarray) -> np.ndarray | None:
    """Class indices (n,) where one label belongs to several columns of predictions, else None."""
    if y.ndim > 1 or p.ndim == 1:
        return None
    wrong = (y != np.floor(y)) | (y < 0) | (y >= p.shape[1])
    if wrong.any():
        raise KitError(f"labels must be class indices 0 to {p.shape[1] - 1}; found {y[wrong][0]:g}")
    return y.astype(np.intp)


def _decided(y: np.ndarray, p: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    y, p = _columns(y, p, binary=True)
    return y >= 0.5, p >= threshold  # a soft label (share of annotators) counts as its majority


def _auc(positive: np.ndarray, p: np.ndarray) -> float:
    """Chance that a positive outranks a negative, ties half (Mann & Whitney 1947); nan where there is one class."""
    order = np.argsort(p)
    ranked = p[order]
    start = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))  # of each run of equal predictions
    ones = np.add.reduceat(positive[order].astype(np.int64), start)
    zeros = np.diff(start, append=len(p)) - ones
    pairs = float(ones.sum()) * float(zeros.sum())
    return float(ones @ (np.cumsum(zeros) - zeros / 2)) / pairs if pairs else np.nan


def _mean_roc_auc(y: np.ndarray, p: np.ndarray) -> float:
    y, p = _columns(y, p, binary=True)
    scores = [_auc(y[:, j] >= 0.5, p[:, j]) for j in range(y.shape[1])]
    return float(np.mean([score for score in scores if not np.isnan(score)] or np.nan))


def _roc_auc(y: np.ndarray, p: np.ndarray) -> float:
    if y.ndim > 1:
        raise KitError(f"judges one column, not {y.shape[1]}; mean_roc_auc judges several")
    return _mean_roc_auc(y, p)


def _log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean over rows and columns; the probabilities of classes are first made to sum to one."""
    if p.min() < -1e-6 or p.max() > 1 + 1e-6:
        raise KitError(f"predictions must be probabilities; they run from {p.min():g} to {p.max():g}")
    tiny = float(np.finfo(p.dtype).eps)  # as scikit-learn clips: by the width of the predictions
    q = np.clip(p.astype(np.float64), tiny, 1 - tiny)
    if (c := _classes(y, p)) is not None:
        return float(-np.log(q[np.arange(len(q)), c] / q.sum(axis=1)).mean())
    y, q = _columns(y, q, binary=True)
    return float(-(y * np.log(q) + (1 - y) * np.log1p(-q)).mean())


def _f1(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    """Mean over columns; a column with neither a positive label nor a positive prediction scores 0."""
    truth, said = _decided(y, p, threshold)
    return float((2 * (truth & said).sum(axis=0) / np.maximum(truth.sum(axis=0) + said.sum(axis=0), 1)).mean())


def _accuracy(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    """Share of right labels: of rows for classes (argmax), of cells where there are several targets."""
    c = _classes(y, p)
    truth, said = _decided(y, p, threshold) if c is None else (c, p.argmax(axis=1))
    return float((truth == said).mean())


def _mcc(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    """Correlation of labels and decisions, R_K for classes (Gorodkin 2004), mean over columns; 0 for constants."""
    c = _classes(y, p)
    truth, said = _columns(*_decided(y, p, threshold)) if c is None else (c[:, None], p.argmax(axis=1)[:, None])
    return float(np.mean([_correlation(a, b) for a, b in zip(truth.T, said.T, strict=True)]))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    n, hits = float(len(a)), float((a == b).sum())
    in_a, in_b = (np.bincount(x, minlength=max(a.max(), b.max()) + 1).astype(np.float64) for x in (a, b))
    scale = np.sqrt(n * n - in_a @ in_a) * np.sqrt(n * n - in_b @ in_b)
    return float((hits * n - in_a @ in_b) / scale) if scale else 0.0


def _quadratic_kappa(y: np.ndarray, p: np.ndarray) -> float:
    """Agreement of ordinal grades (Cohen 1968): 1 - mean (y - p)² / its mean over all pairs of rows; nan for one grade.

    Class probabilities decide by argmax, values by rounding (halves up). An absent grade keeps its place on the scale,
    as in scikit-learn where it is told all `labels`.
    """
    said = np.floor(p.astype(np.float64) + 0.5) if _classes(y, p) is None else p.argmax(axis=1)
    y, said = _columns(y, said)
    if y.shape[1] > 1 or (y != np.floor(y)).any():
        raise KitError("labels must be whole numbers in one column")
    chance = y.var() + said.var() + (y.mean() - said.mean()) ** 2
    return float(1 - ((y - said) ** 2).mean() / chance) if (y != y[0]).any() else np.nan


def _rmse(y: np.ndarray, p: np.ndarray) -> float:
    """Root of the mean square error of each column, then the mean over columns."""
    y, p = _columns(y, p)
    return float(np.sqrt(((y - p.astype(np.float64)) ** 2).mean(axis=0)).mean())


def _mae(y: np.ndarray, p: np.ndarray) -> float:
    y, p = _columns(y, p)
    return float(np.abs(y - p.astype(np.float64)).mean())


def _r2(y: np.ndarray, p: np.ndarray) -> float:
    """Share of variance explained; mean over the columns whose labels vary."""
    y, p = _columns(y.astype(np.float64), p)
    varied = (y != y[0]).any(axis=0)  # not by the variance: rounding may leave a constant column 1e-30 of it
    error, spread = ((y - p)[:, varied] ** 2).sum(axis=0), ((y - y.mean(axis=0))[:, varied] ** 2).sum(axis=0)
    return float((1 - error / spread).mean()) if varied.any() else np.nan


roc_auc = Metric("roc_auc", _roc_auc, True, "rank", needs_variety=True)
mean_roc_auc = Metric("mean_roc_auc", _mean_roc_auc, True, "rank", needs_variety=True)
log_loss = Metric("log_loss", _log_loss, False, "probability")
f1 = Metric("f1", _f1, True, "label", threshold=0.5)
accuracy = Metric("accuracy", _accuracy, True, "label", threshold=0.5)
mcc = Metric("mcc", _mcc, True, "label", threshold=0.5)
quadratic_kappa = Metric("quadratic_kappa", _quadratic_kappa, True, "label", needs_variety=True)
rmse = Metric("rmse", _rmse, False, "value")
mae = Metric("mae", _mae, False, "value")
r2 = Metric("r2", _r2, True, "value", needs_variety=True)

METRICS = {m.name: m for m in (roc_auc, mean_roc_auc, log_loss, f1, accuracy, mcc, quadratic_kappa, rmse, mae, r2)}

"""Metrics of values: errors, relative errors, correlations."""

from dataclasses import dataclass

import numpy as np

from kit.core.errors import KitError
from kit.metrics.arrays import same_columns
from kit.metrics.metric import Metric
from kit.metrics.names import FACTORIES, register


def squared_errors(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Error of each cell, in the shape of the labels."""
    y, p = same_columns(y, p)
    with np.errstate(over="ignore"):  # the square of an error above 1e154 is infinite, which is the worst score
        return np.asarray((y - p.astype(np.float64)) ** 2)


def root_of_means(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """The root of each column's mean, then the mean over columns."""
    return np.asarray(np.sqrt(sums / n).mean(axis=0))


def _rmse(y: np.ndarray, p: np.ndarray) -> float:
    """Root of the mean square error of each column, then the mean over columns."""
    return float(np.sqrt(squared_errors(y, p).mean(axis=0)).mean())


def squared_log_errors(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Squared differences of log(1 + value); values of -1 or less have none."""
    y, p = same_columns(y.astype(np.float64), p.astype(np.float64))
    for values, role in ((y, "labels"), (p, "predictions")):
        if values.min() <= -1:
            raise KitError(f"{role} must be larger than -1; found {values.min():g}")
    return np.asarray((np.log1p(y) - np.log1p(p)) ** 2)


def absolute_errors(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Error of each cell, in the shape of the labels."""
    y, p = same_columns(y, p)
    return np.asarray(np.abs(y - p.astype(np.float64)))


def percentage_errors(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Errors as shares of the label, as scikit-learn has them: a label of 0 counts as 2e-16."""
    y, p = same_columns(y.astype(np.float64), p.astype(np.float64))
    return np.asarray(np.abs(y - p) / np.maximum(np.abs(y), np.finfo(np.float64).eps))


def symmetric_percentage_errors(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """2 |y - p| / (|y| + |p|) of each cell, from 0 to 2; 0 where both are 0 (Makridakis 1993)."""
    y, p = same_columns(y.astype(np.float64), p.astype(np.float64))
    size = np.abs(y) + np.abs(p)
    return np.asarray(2 * np.abs(y - p) / np.where(size > 0, size, 1))


@dataclass(frozen=True)
class QuantileLosses:
    """Loss of each cell whose minimum is the quantile (Koenker & Bassett 1978)."""

    quantile: float

    def __call__(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        y, p = same_columns(y.astype(np.float64), p.astype(np.float64))
        return np.maximum(self.quantile * (y - p), (self.quantile - 1) * (y - p))


def pinball(quantile: float) -> Metric:
    """Pinball loss of predictions of a quantile, 0 to 1: `pinball(0.9)`."""
    if not 0 < quantile < 1:
        raise KitError(f"pinball({quantile:g}): a quantile lies between 0 and 1, such as 0.9")
    name = f"pinball({quantile:g})"
    return Metric(
        name=name,
        row_stats=QuantileLosses(float(quantile)),
        greater_is_better=False,
        separable=True,
        kinds=("regression",),
    )


# ---- variance and correlation ------------------------------------------------------------------


def _r2(y: np.ndarray, p: np.ndarray) -> float:
    """Share of variance explained; mean over the columns whose labels vary."""
    y, p = same_columns(y.astype(np.float64), p)
    varied = (y != y[0]).any(axis=0)  # not by the variance: rounding may leave a constant column 1e-30 of it
    error, spread = ((y - p)[:, varied] ** 2).sum(axis=0), ((y - y.mean(axis=0))[:, varied] ** 2).sum(axis=0)
    return float((1 - error / spread).mean()) if varied.any() else np.nan


def _pearson(y: np.ndarray, p: np.ndarray) -> float:
    """Correlation of one column; 0 for constant predictions, nan for constant labels."""
    y, p = (column[:, 0] for column in same_columns(y, p))
    if (y == y[0]).all():
        return np.nan
    a, b = y - y.mean(), p.astype(np.float64) - p.mean(dtype=np.float64)
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def _spearman(y: np.ndarray, p: np.ndarray) -> float:
    """Correlation of ranks (Spearman 1904), those of ties shared."""
    from scipy.stats import rankdata  # where it is used: importing metrics stays light

    y, p = (column[:, 0] for column in same_columns(y, p))
    return _pearson(rankdata(y), rankdata(p))


rmse = Metric(
    _rmse, "rmse", row_stats=squared_errors, from_sums=root_of_means, greater_is_better=False, family="rmse",
    separable=True,
)  # fmt: skip
rmsle = Metric(
    name="rmsle", row_stats=squared_log_errors, from_sums=root_of_means, greater_is_better=False, kinds=("regression",),
    separable=True,
)  # fmt: skip
mae = Metric(name="mae", row_stats=absolute_errors, greater_is_better=False, separable=True)
mape = Metric(name="mape", row_stats=percentage_errors, greater_is_better=False, separable=True, kinds=("regression",))
smape = Metric(
    name="smape", row_stats=symmetric_percentage_errors, greater_is_better=False, separable=True, kinds=("regression",)
)
r2 = Metric(_r2, "r2", greater_is_better=True, separable=True, needs_variety=True)
pearson = Metric(_pearson, "pearson", greater_is_better=True, needs_variety=True, by_column=True)
spearman = Metric(_spearman, "spearman", greater_is_better=True, needs="rank", needs_variety=True, by_column=True)

register(rmse, rmsle, mae, mape, smape, r2, pearson, spearman)
FACTORIES["pinball"] = pinball

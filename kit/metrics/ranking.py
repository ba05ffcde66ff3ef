"""Metrics of order: how far what is positive, or larger, is ranked ahead."""

import numpy as np

from kit.core.errors import KitError
from kit.metrics.arrays import same_columns
from kit.metrics.metric import Metric
from kit.metrics.names import register

COLUMNS = ("binary", "multilabel")


def area(positive: np.ndarray, p: np.ndarray) -> float:
    """How probably a positive outranks a negative, ties half (Mann & Whitney 1947); nan where there is one class."""
    order = np.argsort(p)
    ranked = p[order]
    start = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))  # of each run of equal predictions
    ones = np.add.reduceat(positive[order].astype(np.int64), start)
    zeros = np.diff(start, append=len(p)) - ones
    pairs = float(ones.sum()) * float(zeros.sum())
    return float(ones @ (np.cumsum(zeros) - zeros / 2)) / pairs if pairs else np.nan


def _column_auc(y: np.ndarray, p: np.ndarray) -> float:
    y, p = same_columns(y, p, binary=True)
    return area(y[:, 0] >= 0.5, p[:, 0])


def _roc_auc(y: np.ndarray, p: np.ndarray) -> float:
    if y.ndim > 1:
        raise KitError(f"scores one column, not {y.shape[1]}; mean_roc_auc scores several")
    return _column_auc(y, p)


def _average_precision(y: np.ndarray, p: np.ndarray) -> float:
    """Mean of the precision at each recall that is reached, as scikit-learn has it; nan where there is one class."""
    from sklearn.metrics import average_precision_score  # where it is used: importing metrics stays light

    y, p = same_columns(y, p, binary=True)
    positive = y[:, 0] >= 0.5
    return float(average_precision_score(positive, p[:, 0])) if 0 < positive.sum() < len(y) else np.nan


def _gini(y: np.ndarray, p: np.ndarray) -> float:
    """Normalized Gini: that in the order of predictions over that in the labels' own order; 2 AUC - 1 of yes and no.

    Rows of equal predictions share their labels evenly, so that the order of rows in a file has no part in it.
    """
    y, p = (column[:, 0].astype(np.float64) for column in same_columns(y, p))
    best = _lorenz(y, y)
    return _lorenz(y, p) / best if best else np.nan


def _lorenz(y: np.ndarray, p: np.ndarray) -> float:
    """Area between the diagonal and the share of labels among the rows of lowest predictions, times 2 n."""
    order = np.argsort(p, kind="stable")
    start = np.flatnonzero(np.append(True, p[order][1:] != p[order][:-1]))
    size, sums = np.diff(start, append=len(p)), np.add.reduceat(y[order], start)
    middle = np.cumsum(size) - size / 2  # of each run of ties, in rows
    return float(2 * (sums @ middle) / sums.sum() - len(y)) if sums.sum() else 0.0


def _concordance(y: np.ndarray, p: np.ndarray) -> float:
    """Share of pairs of rows with different labels that are in order, ties half (Harrell 1982, without censoring)."""
    from scipy.stats import kendalltau  # where it is used: importing metrics stays light

    y, p = (column[:, 0] for column in same_columns(y, p))
    if (y == y[0]).all():
        return np.nan
    if (p == p[0]).all():
        return 0.5
    pairs, tied_y, tied_p = _pairs(np.array([len(y)])), _ties(y), _ties(p)
    surplus = float(kendalltau(y, p).statistic) * np.sqrt(float(pairs - tied_y) * float(pairs - tied_p))
    return float(0.5 + surplus / (pairs - tied_y) / 2)


def _ties(values: np.ndarray) -> int:
    return _pairs(np.unique(values, return_counts=True)[1])


def _pairs(sizes: np.ndarray) -> int:
    return sum(int(n) * (int(n) - 1) // 2 for n in sizes)


roc_auc = Metric(
    _roc_auc, "roc_auc", greater_is_better=True, needs="rank", needs_variety=True, family="auc", kinds=("binary",),
)  # fmt: skip
mean_roc_auc = Metric(
    _column_auc, "mean_roc_auc", greater_is_better=True, needs="rank", needs_variety=True, by_column=True,
    family="auc", kinds=COLUMNS,
)  # fmt: skip
average_precision = Metric(
    _average_precision, "average_precision", greater_is_better=True, needs="rank", needs_variety=True, by_column=True,
    kinds=COLUMNS,
)  # fmt: skip
gini = Metric(_gini, "gini", greater_is_better=True, needs="rank", needs_variety=True, by_column=True)
concordance = Metric(
    _concordance, "concordance", greater_is_better=True, needs="rank", needs_variety=True, by_column=True
)

register(roc_auc, mean_roc_auc, average_precision, gini, concordance)

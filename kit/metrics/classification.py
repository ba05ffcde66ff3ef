"""Metrics of decisions: yes or no of each column, or the most probable class."""

from dataclasses import dataclass

import numpy as np

from kit.metrics.arrays import class_indices, decisions, one_hot, same_columns
from kit.metrics.metric import Metric
from kit.metrics.names import FACTORIES, register

COLUMNS, CLASSES = ("binary", "multilabel"), ("binary", "multilabel", "multiclass")  # kinds of task


def column_counts(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """Of one column, (n, 3) bool: yes of both, yes of the label, yes of the prediction."""
    truth, predicted = decisions(y, p, threshold)
    counts = np.empty((3, len(y)), dtype=bool)  # each column in one piece
    counts[1], counts[2] = truth[:, 0], predicted[:, 0]
    np.logical_and(counts[1], counts[2], out=counts[0])
    return counts.T


def class_counts(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """As `column_counts`; of K classes (n, 3 K) bool: of each class whether it is right, true, predicted."""
    if (c := class_indices(y, p)) is None:
        return column_counts(y, p, threshold)
    truth, predicted = one_hot(c, p.shape[1]).T, one_hot(p.argmax(axis=1), p.shape[1]).T
    return np.concatenate([truth & predicted, truth, predicted]).T


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Their ratio; 0 where there is nothing to take a share of."""
    return part / np.where(whole > 0, whole, 1)


# ---- F1 and F-beta -----------------------------------------------------------------------------


@dataclass(frozen=True)
class FBeta:
    """F-beta (van Rijsbergen 1979) of the sums of `column_counts`: recall weighs beta times as much as precision.

    A column with neither a positive label nor a positive prediction scores 0.
    """

    beta: float

    def __call__(self, sums: np.ndarray, n: np.ndarray) -> np.ndarray:
        hits, truth, predicted = sums
        weight = self.beta**2
        return _share((1 + weight) * hits, weight * truth + predicted)


def f_beta(beta: float) -> Metric:
    """F-beta of yes and no, mean over columns: `f_beta(2)` values recall, `f_beta(0.5)` precision."""
    return Metric(
        name=f"f_beta({beta:g})", row_stats=column_counts, from_sums=FBeta(float(beta)), greater_is_better=True,
        needs="label", threshold=0.5, by_column=True, kinds=COLUMNS,
    )  # fmt: skip


def f1_of_classes(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """F1 of a column, or the mean over those of K classes that occur among labels or predictions."""
    hits, truth, predicted = sums.reshape(3, -1, sums.shape[-1])
    size = truth + predicted
    occurs = size > 0 if len(size) > 1 else size >= 0
    return np.asarray(_share(2 * hits, size).sum(axis=0) / occurs.sum(axis=0))


def pooled_counts(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """(n, 3): each row's counts of `class_counts`, summed over columns or classes; missing labels do not count."""
    if class_indices(y, p) is None:
        known = ~np.isnan(y)
        truth, predicted = decisions(np.where(known, y, 0), p, threshold)
        predicted &= known.reshape(predicted.shape)
        return np.stack([(truth & predicted).sum(axis=1), truth.sum(axis=1), predicted.sum(axis=1)], axis=1)
    return class_counts(y, p, threshold).reshape(len(y), 3, -1).sum(axis=2)


# ---- accuracy ----------------------------------------------------------------------------------


def is_right(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """Whether the class (n,) or each label (n, columns) is right."""
    if (c := class_indices(y, p)) is not None:
        return np.asarray(c == p.argmax(axis=1))
    truth, predicted = decisions(y, p, threshold)
    return np.asarray(truth == predicted)


def mean_recall(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur among labels of the share of their rows that is found."""
    hits, truth, predicted = sums.reshape(3, -1, sums.shape[-1])
    if len(hits) == 1:  # a column: its no is the other class
        hits = np.concatenate([hits, n - truth - predicted + hits])
        truth = np.concatenate([truth, n - truth])
    return np.asarray(_share(hits, truth).sum(axis=0) / (truth > 0).sum(axis=0))


# ---- Matthews correlation ----------------------------------------------------------------------


def _mcc(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    """Correlation of labels and decisions, R_K for classes (Gorodkin 2004); 0 for constants."""
    if (c := class_indices(y, p)) is not None:
        return _correlation(c, p.argmax(axis=1))
    truth, predicted = same_columns(*decisions(y, p, threshold))
    return _correlation(truth[:, 0], predicted[:, 0])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    n, hits = float(len(a)), float((a == b).sum())
    in_a, in_b = (np.bincount(x, minlength=max(a.max(), b.max()) + 1).astype(np.float64) for x in (a, b))
    scale = np.sqrt(n * n - in_a @ in_a) * np.sqrt(n * n - in_b @ in_b)
    return float((hits * n - in_a @ in_b) / scale) if scale else 0.0


def mcc_of_counts(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Matthews correlation of the sums of `class_counts`."""
    hits, truth, predicted = sums.astype(np.float64).reshape(3, -1, sums.shape[-1])
    if len(hits) == 1:
        hits, truth, predicted = hits[0], truth[0], predicted[0]
        scale = np.sqrt(truth * (n - truth)) * np.sqrt(predicted * (n - predicted))
        return np.asarray((hits * n - truth * predicted) / np.where(scale > 0, scale, np.inf))
    scale = np.sqrt(n * n - (truth**2).sum(axis=0)) * np.sqrt(n * n - (predicted**2).sum(axis=0))
    covariance = hits.sum(axis=0) * n - (truth * predicted).sum(axis=0)
    return np.asarray(covariance / np.where(scale > 0, scale, np.inf))


# of one column as scikit-learn's binary ones; the mean over columns where there are several
f1 = Metric(
    name="f1", row_stats=column_counts, from_sums=FBeta(1.0), greater_is_better=True, needs="label", threshold=0.5,
    by_column=True, kinds=COLUMNS,
)  # fmt: skip
macro_f1 = Metric(
    name="macro_f1", row_stats=class_counts, from_sums=f1_of_classes, greater_is_better=True, needs="label",
    threshold=0.5, by_column=True, kinds=("multilabel", "multiclass"),
)  # fmt: skip
# F1 of all columns' or all classes' counts together; of classes it is the accuracy
micro_f1 = Metric(
    name="micro_f1", row_stats=pooled_counts, from_sums=FBeta(1.0), greater_is_better=True, needs="label",
    threshold=0.5, kinds=("multilabel", "multiclass"), gaps=True,
)  # fmt: skip
# the share of right labels: of rows for classes, of cells where there are several columns
accuracy = Metric(
    name="accuracy", row_stats=is_right, greater_is_better=True, needs="label", threshold=0.5, kinds=CLASSES,
    separable=True,
)  # fmt: skip
balanced_accuracy = Metric(
    name="balanced_accuracy", row_stats=class_counts, from_sums=mean_recall, greater_is_better=True, needs="label",
    threshold=0.5, by_column=True, kinds=CLASSES,
)  # fmt: skip
mcc = Metric(
    _mcc, "mcc", row_stats=class_counts, from_sums=mcc_of_counts, greater_is_better=True, needs="label",
    threshold=0.5, by_column=True, kinds=CLASSES,
)  # fmt: skip

register(f1, macro_f1, micro_f1, accuracy, balanced_accuracy, mcc)
FACTORIES["f_beta"] = f_beta

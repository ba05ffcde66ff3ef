"""What features that read labels share: labels as columns, and the inner folds of the train rows."""

import numpy as np

from kit.core.errors import KitError
from kit.metrics.arrays import one_hot
from kit.rows import Rows


def label_columns(train: Rows) -> tuple[np.ndarray, list[str]]:
    """(n, outputs) float64 labels and what each column is; of classes 0 and 1. NaN: a label is not known."""
    task, y = train.task, train.labels
    if task.kind != "multiclass":
        return y.astype(np.float64), list(task.targets)
    columns = one_hot(y[:, 0], task.outputs).astype(np.float64)
    columns[np.isnan(y[:, 0])] = np.nan
    return columns, [f"{task.targets[0]} = {name}" for name in task.output_names]


def inner_folds(train: Rows, n: int, seed: int) -> np.ndarray:
    """(n,) number of the inner fold of each train row, balanced by the first target's classes.

    Rows that `Rows.groups` keeps together share a fold. The order of the rows does not matter: equal positions in the
    source have equal folds, whichever rows are listed first.

    Raises:
        KitError: there are fewer rows than two.
    """
    units = train.at if train.groups is None else train.groups
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    if len(first) < 2:
        raise KitError(f"task '{train.task.name}': cross-fitting needs two train rows at least that folds do not tie")
    y = train.labels[first, 0]
    shuffled = np.random.default_rng(seed).permutation(len(first))
    if train.task.kind != "regression":
        shuffled = shuffled[np.argsort(y[shuffled], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[shuffled] = np.arange(len(first)) % min(n, len(first))
    return fold[unit.reshape(-1)]

"""Likely label errors: rows whose label the out-of-fold predictions contradict (confident learning)."""

from collections.abc import Sequence

import numpy as np

from kit.core.errors import KitError

TINY = 1e-9  # a probability of 0 counts as this


def label_quality(kind: str, y: np.ndarray, predictions: Sequence[np.ndarray]) -> np.ndarray:
    """How much the predictions agree with the label of each row, from 0 (surely wrong) to 1; the mean over the members.

    For each member this is cleanlab's score: the probability of the given label (Kuan and Mueller 2022). With several
    targets, the one with the least agreement counts. Predictions must be out of fold, because a model agrees with the
    labels that it has learnt.

    Args:
        kind: kind of the task: binary, multilabel, multiclass or regression.
        y: (n, targets) labels; class indices (n, 1) for a multiclass task. A missing label (NaN) is not wrong.
        predictions: (n, outputs) probabilities, or values of a regression, for each member.

    Raises:
        KitError: cleanlab is not installed, or predictions are no probabilities.
    """
    found = [_quality(kind, y, np.asarray(p, np.float64)) for p in predictions]
    return np.mean(found, axis=0)


def likely_errors(kind: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(n,) whether a label is wrong according to confident learning (Northcutt et al. 2021); for regression, none is.

    Args:
        kind: as in `label_quality`.
        y: as in `label_quality`.
        p: (n, outputs) out-of-fold probabilities.

    Raises:
        KitError: as in `label_quality`.
    """
    if kind == "regression":
        return np.zeros(len(y), dtype=bool)
    wrong = np.zeros(len(y), dtype=bool)
    for rows, labels, probabilities in _problems(kind, y, np.asarray(p, np.float64)):
        counts = np.bincount(labels, minlength=probabilities.shape[1])
        common = counts > 1  # cleanlab needs at least two rows of a class
        kept = common[labels] & (probabilities[:, common].sum(axis=1) > TINY)
        if common.sum() > 1 and (np.bincount(labels[kept], minlength=len(counts))[common] > 1).all():
            shares = probabilities[kept][:, common]
            shares /= shares.sum(axis=1, keepdims=True)
            among = (np.cumsum(common) - 1)[labels[kept]]
            wrong[rows[kept]] |= np.asarray(_cleanlab("filter").find_label_issues(among, shares, n_jobs=1))
    return wrong


def _quality(kind: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    quality = np.ones(len(y))
    if kind == "regression":
        rank, problems = _cleanlab("regression.rank"), [(*_known(t), v) for t, v in zip(y.T, p.T, strict=True)]
        problems = [(rows, labels, values[rows]) for rows, labels, values in problems]
    else:
        rank, problems = _cleanlab("rank"), _problems(kind, y, p)
    for rows, labels, predicted in problems:
        quality[rows] = np.minimum(quality[rows], rank.get_label_quality_scores(labels, predicted))
    return quality


def _known(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows that have a label, and these labels."""
    rows = np.flatnonzero(~np.isnan(labels))
    return rows, labels[rows]


def _problems(kind: str, y: np.ndarray, p: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows, labels (k,) and probabilities (k, classes) of one problem for all classes, or of one for each target."""
    if p.min() < -TINY or p.max() > 1 + TINY:
        raise KitError("label errors are found from probabilities, and these predictions are not probabilities")
    if kind == "multiclass":
        clipped = p.clip(TINY)
        return [(np.arange(len(y)), y[:, 0].astype(int), clipped / clipped.sum(axis=1, keepdims=True))]
    both = [np.column_stack([1 - column, column]).clip(TINY, 1 - TINY) for column in p.T]
    known = [_known(labels) for labels in y.T]
    return [(rows, (labels >= 0.5).astype(int), own[rows]) for (rows, labels), own in zip(known, both, strict=True)]


def _cleanlab(module: str):  # type: ignore[no-untyped-def]  # a module of a package without types
    import importlib

    try:
        return importlib.import_module(f"cleanlab.{module}")
    except ModuleNotFoundError:
        raise KitError("label errors need the extra 'labels': pip install 'kit[labels]'") from None

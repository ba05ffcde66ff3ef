"""Finds finished folds whose predictions the metric cannot score."""

import numpy as np

from kit.metrics.check import score_or_fault
from kit.run.bank import Fold
from kit.run.oof import out_of_fold
from kit.run.run import Run


def fold_faults(run: Run, folds: dict[int, Fold]) -> dict[int, str]:
    """Fold → why the task's metric cannot score its predictions; only folds with such an error.

    The result from the fit of the fold is used if the metric is still the same; otherwise the fold is scored again.
    """
    metric, faults = run.table.task.metric, {}
    for number, fold in folds.items():
        same = fold.score.get("scored_by") == metric.identity()
        fault = fold.score.get("fault", "") if same else ""
        if not fault and not (same and fold.score["score"] == fold.score["score"]):  # nan: find out why
            fault = _fault(run, fold.valid, run.plan == number)
        if fault:
            faults[number] = fault
    return faults


def pooled_fault(run: Run, folds: dict[int, Fold]) -> str:
    """Why the metric cannot score all rows of a member together, although it scores each fold; empty if it can.

    Only the user's own metrics are tried: kit's metrics can score all rows if they can score each fold.
    """
    if run.table.task.metric.is_kits or len(folds) < len(run.folds):
        return ""
    return _fault(run, out_of_fold(run, folds)[run.plan >= 0], run.plan >= 0)


def scorable(run: Run, members: dict[str, dict[int, Fold]]) -> tuple[dict[str, dict[int, Fold]], list[str]]:
    """The members with a score of each fold and of all rows together; and a sentence about each other member."""
    good: dict[str, dict[int, Fold]] = {}
    sentences: list[str] = []
    pooled: dict[str, list[str]] = {}
    for name, folds in members.items():
        if faults := fold_faults(run, folds):
            fold, fault = next(iter(faults.items()))
            sentences.append(f"{name} is left out of the blend: fold {fold} has no score: {fault}")
        elif fault := pooled_fault(run, folds):
            pooled.setdefault(fault, []).append(name)
        else:
            good[name] = folds
    rows = f"all {np.count_nonzero(run.plan >= 0):,} rows together have no score"
    for fault, names in pooled.items():
        are = "are" if len(names) > 1 else "is"
        sentences.append(f"{', '.join(names)} {are} left out of the blend: {rows}: {fault}")
    return good, sentences


def _fault(run: Run, predictions: np.ndarray, rows: np.ndarray) -> str:
    return score_or_fault(run.metric_of(rows), run.table.task.kind, run.table.y[rows], predictions)[1]

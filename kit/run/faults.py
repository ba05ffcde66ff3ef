"""Finds finished folds whose predictions the metric cannot score."""

import numpy as np

from kit.metrics.check import score_or_fault
from kit.run.bank import Fold
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


def scorable(run: Run, members: dict[str, dict[int, Fold]]) -> tuple[dict[str, dict[int, Fold]], list[str]]:
    """The members whose folds all have a score, and a sentence about each other member."""
    faults = {name: fold_faults(run, folds) for name, folds in members.items()}
    good = {name: folds for name, folds in members.items() if not faults[name]}
    sentences = [
        f"{name} is left out of the blend: fold {next(iter(found))} has no score: {next(iter(found.values()))}"
        for name, found in faults.items()
        if found
    ]
    return good, sentences


def _fault(run: Run, predictions: np.ndarray, rows: np.ndarray) -> str:
    return score_or_fault(run.metric_of(rows), run.table.task.kind, run.table.y[rows], predictions)[1]

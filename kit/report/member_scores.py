"""Scores of members: one computation for the terminal, the page and the tracking tools."""

from dataclasses import dataclass

import numpy as np

from kit.ensemble.decide.threshold import (
    out_of_fold_thresholds,
    score_at,
    score_at_folds,
    takes_threshold,
    takes_yes_no,
)
from kit.metrics import mean_roc_auc
from kit.run.bank import Fold
from kit.run.faults import fold_faults, pooled_fault
from kit.run.oof import out_of_fold
from kit.run.run import Run


@dataclass(frozen=True)
class MemberScores:
    """The scores of a member by the current metric of the task.

    The score.json of a fold may have another score: predictions are kept if the metric changes, and there a metric with
    a threshold is computed at a fixed threshold.

    Attributes:
        folds: fold → score; with a threshold, at the best threshold of the other folds.
        pooled: score of all out-of-fold rows together; nan unless every fold is finished and the metric can score them.
        auc: mean ROC AUC of these rows, if thresholds make yes or no of predictions.
        seconds: seconds of its finished folds.
        faults: fold → why the metric cannot score its predictions; then no thresholds are chosen.
    """

    folds: dict[int, float]
    pooled: float
    auc: float
    seconds: float
    faults: dict[int, str]


def member_scores(run: Run, found: dict[int, Fold]) -> MemberScores:
    """The scores of a member's finished folds."""
    finished = np.isin(run.plan, list(found))
    metric = run.metric_of(finished)
    y, p, plan = run.table.y[finished], out_of_fold(run, found)[finished], run.plan[finished]
    whole = bool(found) and len(found) == len(run.folds)
    if faults := fold_faults(run, found):
        good = {fold: plan == fold for fold in found if fold not in faults}
        folds = dict.fromkeys(found, np.nan) | {fold: metric.take(at)(y[at], p[at]) for fold, at in good.items()}
        pooled = np.nan
    else:
        thresholds = out_of_fold_thresholds(metric, y, p, plan)
        parts = {fold: plan == fold for fold in thresholds}
        folds = {f: score_at(metric.take(at), y[at], p[at], thresholds[f]) for f, at in parts.items()}
        whole_scored = whole and not pooled_fault(run, found)
        pooled = score_at_folds(metric, y, p, plan, thresholds) if whole_scored else np.nan
    auc = mean_roc_auc(y, p) if whole and shows_roc_auc(run) else np.nan
    seconds = sum(sum(kept.score["seconds"].values()) for kept in found.values())
    return MemberScores(folds, pooled, auc, seconds, faults)


def uses_threshold(run: Run) -> bool:
    """Whether the metric needs thresholds: predictions become yes or no, or grades, before they are scored."""
    return takes_threshold(run.table.task.metric, run.table.y, np.empty((0, run.table.task.outputs)))


def shows_roc_auc(run: Run) -> bool:
    """Whether to show ROC AUC too: it needs no threshold, but the metric does."""
    return takes_yes_no(run.table.task.metric, run.table.y, np.empty((0, run.table.task.outputs)))

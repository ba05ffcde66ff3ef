"""What members score: one computation for the terminal, the page and the tools that show a run elsewhere."""

from dataclasses import dataclass

import numpy as np

from kit.bank import Fold
from kit.blending import out_of_fold
from kit.ensemble.threshold import judge, judge_folds, says_yes, takes_threshold, unseen_thresholds
from kit.metrics import mean_roc_auc
from kit.run import Run


@dataclass(frozen=True)
class Scores:
    """What a member scores by the task's present metric.

    The score.json of a fold may tell of another: predictions outlive a change of the metric, and where the metric has a
    threshold the fold was judged at a fixed one.

    Attributes:
        folds: fold → score, at the threshold that is best on the other folds where the metric has one.
        pooled: of all out-of-fold rows together; nan unless every fold is finished.
        auc: mean ROC AUC of the same, where predictions are cut into yes and no.
        seconds: spent on its finished folds.
    """

    folds: dict[int, float]
    pooled: float
    auc: float
    seconds: float


def member_scores(run: Run, found: dict[int, Fold]) -> Scores:
    """The scores of a member's finished folds."""
    metric, judged = run.table.task.metric, np.isin(run.plan, list(found))
    y, p, plan = run.table.y[judged], out_of_fold(run, found)[judged], run.plan[judged]
    thresholds = unseen_thresholds(metric, y, p, plan)
    folds = {fold: judge(metric, y[plan == fold], p[plan == fold], at) for fold, at in thresholds.items()}
    whole = bool(found) and len(found) == len(run.folds)
    pooled = judge_folds(metric, y, p, plan, thresholds) if whole else np.nan
    auc = mean_roc_auc(y, p) if whole and area_tells(run) else np.nan
    seconds = sum(sum(kept.score["seconds"].values()) for kept in found.values())
    return Scores(folds, pooled, auc, seconds)


def cuts(run: Run) -> bool:
    """Whether predictions are cut, into yes and no or into grades, before they are judged."""
    return takes_threshold(run.table.task.metric, run.table.y, np.empty((0, run.table.task.outputs)))


def area_tells(run: Run) -> bool:
    """Whether they are cut into yes and no, so that the area under the ROC curve tells of them before the cut."""
    return says_yes(run.table.task.metric, run.table.y, np.empty((0, run.table.task.outputs)))

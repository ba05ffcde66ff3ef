"""Out-of-fold scores of the folds that judge a trial, as the leaderboard has them."""

from collections.abc import Sequence

import numpy as np

from kit.blending import out_of_fold
from kit.ensemble.threshold import decide, judge, unseen_thresholds
from kit.run import Run


def said(run: Run, member: str, folds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that these finished folds judge, as positions, and what was said of them (rows, outputs).

    Where the metric cuts, decisions 0 and 1: each fold at the thresholds that are best on the other ones.
    """
    metric, shelf = run.table.task.metric, run.shelf(member)
    found = {fold: kept for fold in folds if (kept := shelf.read(fold)) is not None}
    rows = np.flatnonzero(np.isin(run.plan, list(found)))
    y, plan, p = run.table.y[rows], run.plan[rows], out_of_fold(run, found)[rows]
    for fold, cuts in unseen_thresholds(metric, y, p, plan).items():
        p[plan == fold] = decide(p[plan == fold], cuts)
    return rows, p


def scores(run: Run, member: str, folds: Sequence[int]) -> tuple[dict[int, float], float]:
    """Score of each of these finished folds, and of all their rows together; nan where it cannot be judged."""
    rows, p = said(run, member, folds)
    y, plan = run.table.y[rows], run.plan[rows]
    each = {fold: verdict(run, y[plan == fold], p[plan == fold]) for fold in folds}
    return each, verdict(run, y, p)


def verdict(run: Run, y: np.ndarray, p: np.ndarray) -> float:
    """The metric's value of labels and what was `said`."""
    metric = run.table.task.metric
    cut = metric.threshold is not None and y.shape[1:] == p.shape[1:]
    return judge(metric, y, p, (0.5,) * p.shape[1] if cut else ())

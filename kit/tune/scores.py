"""Out-of-fold scores of a trial's folds, computed as in the leaderboard."""

from collections.abc import Sequence

import numpy as np

from kit.ensemble.decide.threshold import decide, out_of_fold_thresholds, score_at
from kit.run.oof import out_of_fold
from kit.run.run import Run


def oof_predictions(run: Run, member: str, folds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows of these finished folds, and their out-of-fold predictions (rows, outputs).

    If the metric uses a threshold, these are decisions 0 and 1; each fold has the best thresholds of the other folds.
    """
    found = run.gathered(member, folds)
    rows = np.flatnonzero(np.isin(run.plan, list(found)))
    y, plan, p = run.table.y[rows], run.plan[rows], out_of_fold(run, found)[rows]
    for fold, cuts in out_of_fold_thresholds(run.metric_of(rows), y, p, plan).items():
        p[plan == fold] = decide(p[plan == fold], cuts)
    return rows, p


def scores(run: Run, member: str, folds: Sequence[int]) -> tuple[dict[int, float], float]:
    """Score of each of these finished folds, and of all their rows together; nan if there is none."""
    rows, p = oof_predictions(run, member, folds)
    plan = run.plan[rows]
    each = {fold: _score(run, rows[plan == fold], p[plan == fold]) for fold in folds}
    return each, _score(run, rows, p)


def _score(run: Run, rows: np.ndarray, p: np.ndarray) -> float:
    metric, y = run.metric_of(rows), run.table.y[rows]
    cut = metric.threshold is not None and y.shape[1:] == p.shape[1:]
    return score_at(metric, y, p, (0.5,) * p.shape[1] if cut else ())

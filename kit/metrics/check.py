"""Whether a metric fits a task: tried on made-up predictions, before anything is fitted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.metrics.metric import Metric
from kit.metrics.names import METRICS

ROWS = 20_000  # labels that the metric is tried on at most
USUAL = {"binary": "roc_auc", "multilabel": "mean_roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def check_metric(metric: Metric, kind: str, y: np.ndarray, outputs: int, parts: Sequence[np.ndarray] = ()) -> str:
    """Scores made-up predictions of the task's shape, so that a metric that cannot score them costs no fit.

    Random predictions may lack what good ones have, such as a hit among few positives, and the folds may lack what
    fails in all rows. So a metric is refused only if it scores neither random nor good predictions, neither of all rows
    nor of one of the parts.

    Args:
        metric: the task's metric, with the columns of the rows that it reads.
        kind: binary, multilabel, multiclass or regression.
        y: (n, targets) labels; class indices (n, 1) of a multiclass task.
        outputs: columns of a prediction.
        parts: masks (n,) or positions of the rows that are scored together, as the rows of each fold.

    Returns:
        Why it cannot score all rows together, although it scores a part of them; empty where all is well.

    Raises:
        KitError: the metric fails; names it, the kind of task and the nearest metric that fits.
    """
    if (reason := _reason(metric, kind, y, outputs)) is None:
        return ""
    if not _misfit(metric, kind, y):
        if _reason(metric, kind, y, outputs, good=True) is None:
            return ""
        for part in parts:
            some = metric.take(part)
            if None in (_reason(some, kind, y[part], outputs, good) for good in (False, True)):
                return reason
    others = [m for m in METRICS.values() if kind in m.kinds or m.name == USUAL[kind]]
    fitting = [m.name for m in others if _reason(m, kind, y, outputs) is None]
    alike = [name for name in fitting if METRICS[name].needs == metric.needs and name.endswith(metric.name)]
    alike += [name for name in fitting if METRICS[name].needs == metric.needs]
    nearest = next(iter(alike), USUAL[kind])
    raise KitError(f"metric {metric.name} does not fit a {kind} task: {reason}; {nearest} fits")


def score_or_fault(metric: Metric, kind: str, y: np.ndarray, p: np.ndarray) -> tuple[float, str]:
    """The score, and where the fault lies with these predictions why there is none; empty where all is well.

    A score that is nan whatever is predicted, as where all labels are equal, is no fault of the predictions.

    Args:
        metric: with the columns of the rows that it reads.
        kind: of the task.
        y: (n, targets) labels.
        p: (n, outputs) predictions.
    """
    try:
        if not np.isnan(score := metric(y, p)):
            return score, ""
    except KitError as error:
        return np.nan, str(error)
    try:
        others = metric(y, made_up(kind, y, p.shape[1]))
    except KitError:
        return np.nan, ""
    low, high = p.min(), p.max()
    fault = f"{metric.name} is nan for these predictions, which run from {low:g} to {high:g}"
    return np.nan, "" if np.isnan(others) else fault


def undefined_columns(metric: Metric, y: Any) -> list[int]:
    """Positions of the target columns that have no score by these labels, (n,) or (n, targets): the known are equal."""
    if not metric.needs_variety:
        return []
    labels = np.atleast_2d(np.asarray(y, dtype=np.float64).T).T
    yes_no = metric.needs == "rank" and metric.kinds and "regression" not in metric.kinds
    found: list[int] = []
    for j, column in enumerate(labels.T):
        known = column[~np.isnan(column)]
        seen = known >= 0.5 if yes_no else known
        found += [j] if (seen == seen[:1]).all() else []
    return found


def made_up(kind: str, y: np.ndarray, outputs: int, good: bool = False) -> np.ndarray:
    """Predictions (n, outputs), float32 as members give them: labels of other rows, or random probabilities.

    Args:
        good: nine parts of the labels themselves and one part of that.
    """
    p = _random(kind, y, outputs)
    if not good:
        return p
    truth = np.eye(outputs)[y[:, 0].astype(int)] if kind == "multiclass" else y
    return np.where(np.isnan(truth), p, 0.9 * truth + 0.1 * p).astype(np.float32)


def _random(kind: str, y: np.ndarray, outputs: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == "multiclass":
        return rng.dirichlet(np.ones(outputs), len(y)).astype(np.float32)
    if kind == "regression":
        others = y[rng.permutation(len(y))]
        return np.where(np.isnan(others), np.nanmean(y, axis=0), others).astype(np.float32)
    return rng.uniform(0.01, 0.99, (len(y), outputs)).astype(np.float32)


def _misfit(metric: Metric, kind: str, y: np.ndarray) -> str:
    """Of a metric that scores other kinds of task only: a clause that names them."""
    # labels of yes and no may be given as values
    shares = kind == "regression" and np.nanmin(y) >= 0 and np.nanmax(y) <= 1
    if metric.kinds and kind not in metric.kinds and not (shares and "binary" in metric.kinds):
        return f"it scores {' and '.join(metric.kinds)} tasks"
    return ""


def _reason(metric: Metric, kind: str, y: np.ndarray, outputs: int, good: bool = False) -> str | None:
    """Why the metric cannot score such a task, or None."""
    if misfit := _misfit(metric, kind, y):
        return misfit
    if len(y) > ROWS:
        some = np.random.default_rng(0).choice(len(y), ROWS, replace=False)
        some = np.union1d(some, (~np.isnan(y)).argmax(axis=0))  # of a target with few labels one at least
        metric, y = metric.take(some), y[some]
    try:
        metric(y, made_up(kind, y, outputs, good))
    except KitError as error:
        return str(error).removeprefix(f"{metric.name}: ")
    return None

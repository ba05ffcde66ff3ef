"""Notes before the first fit: classes that are missing in some folds, uneven folds, a metric of folds only."""

import numpy as np

from kit.folds import Grouped, RandomFolds
from kit.run.check import metric_fault
from kit.run.run import Run

UNEVEN = 1.5  # a note is shown if the largest fold has this many times the rows of the smallest
SHOWN = 5  # classes that a note names


def plan_notes(run: Run) -> list[str]:
    """Sentences about weak points of the plan; none if there are no weak points.

    Raises:
        KitError: the metric cannot score the task.
    """
    return [note for note in (_rare(run), _uneven(run), _folds_only(run)) if note]


def _folds_only(run: Run) -> str:
    """A metric that scores folds, but not all rows together."""
    if not (fault := metric_fault(run)):
        return ""
    rows = np.count_nonzero(run.plan >= 0)
    return f"metric {run.table.task.metric.name} fails on {rows:,} rows: {fault}; folds are scored, nothing is blended"


def _rare(run: Run) -> str:
    """Classes, or labels of a multilabel task, with fewer rows than there are folds."""
    task, n, y = run.table.task, len(run.folds), run.table.y[run.plan >= 0]
    if task.kind == "regression":
        return ""
    if task.kind == "multilabel":
        what, counts = "label", dict(zip(task.targets, (y >= 0.5).sum(axis=0).tolist(), strict=True))
    else:
        what, names = "class", task.classes or (0, 1)
        counts = dict(zip(names, np.bincount(y[:, 0].astype(int), minlength=len(names)).tolist(), strict=True))
    rare = {name: count for name, count in counts.items() if count < n}
    if not rare:
        return ""
    named = [f"'{name}' ({count})" for name, count in list(rare.items())[:SHOWN]]
    many = f"1 {what} has" if len(rare) == 1 else f"{len(rare)} {what}{'es' if what == 'class' else 's'} have"
    more = " …" if len(rare) > SHOWN else ""
    return f"{many} fewer rows than there are folds ({n}), so some folds have none of them: {', '.join(named)}{more}"


def _uneven(run: Run) -> str:
    """Folds of unequal size, because many rows must stay in the same fold."""
    folds, sizes = run.recipe.folds, np.bincount(run.plan[run.plan >= 0])
    if not isinstance(folds, RandomFolds) or run.clusters is None or sizes.max() < UNEVEN * sizes.min():
        return ""
    largest = np.unique(run.clusters, return_counts=True)[1].max()
    if isinstance(folds, Grouped):
        why = f"{largest} rows have one '{folds.group}', or are duplicates of such rows, and stay in one fold"
    else:
        why = f"{largest} equal rows stay in one fold; keep_duplicates_together=false splits them"
    return f"folds have {sizes.min()} to {sizes.max()} rows: {why}"

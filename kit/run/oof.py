"""Out-of-fold predictions of a run's members, and what else a blend reads from the run."""

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.ensemble import OutOfFold
from kit.folds import TimeSeries
from kit.run.bank import Fold
from kit.run.run import Run


def out_of_fold(run: Run, folds: dict[int, Fold]) -> np.ndarray:
    """(n, outputs) predictions of a member's finished folds, each in the rows of its fold; NaN in other rows."""
    predictions = np.full((len(run.plan), run.table.task.outputs), np.nan, dtype=np.float32)
    for number, fold in folds.items():
        predictions[run.plan == number] = fold.valid
    return predictions


def oof_of(run: Run, members: dict[str, dict[int, Fold]]) -> OutOfFold:
    """The members' out-of-fold predictions of all rows that a fold predicted, with all that the blend reads."""
    rows = run.plan >= 0
    predictions = np.stack([out_of_fold(run, folds)[rows] for folds in members.values()])
    return OutOfFold(
        predictions,
        run.table.y[rows],
        run.metric_of(rows),
        list(members),
        run.plan[rows],
        columns_of(run, run.table.train[rows]),
        run.clusters_of(rows),
        ordered(run),
    )


def complete(run: Run, names: list[str]) -> dict[str, dict[int, Fold]]:
    """Those of these members whose folds are all finished, with their folds."""
    found = {name: run.gathered(name) for name in names}
    return {name: folds for name, folds in found.items() if len(folds) == len(run.folds)}


def columns_of(run: Run, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The original columns that the blend reads, of train or of test rows."""
    names, hidden = list(run.recipe.blend.needs), {run.table.task.id, *run.table.task.targets}
    if not names or not len(frame):  # a competition may have no test file
        return None
    known = [name for name in frame.columns if name not in hidden]
    for name in names:
        if name not in known:
            blend, among = type(run.recipe.blend).__name__, ", ".join(map(str, known))
            raise KitError(f"{blend}: there is no column '{name}' to read beside the predictions; there are: {among}")
    return frame[names]


def ordered(run: Run) -> bool:
    """Whether folds are ordered in time. If so, a fold must not be blended with weights learnt on a later fold."""
    return isinstance(run.recipe.folds, TimeSeries)

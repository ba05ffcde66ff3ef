"""A hold-out: rows that are used neither for learning nor for choices; they are drawn like the recipe's folds."""

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.folds import Folds, RandomFolds, TimeSeries

HELD = -2  # in a plan: the row is held out; folds do learn from rows with -1
SEED = 20_000  # of the draw, whatever the folds' own is: every search of a competition holds out the same rows


def held_out(
    folds: Folds, share: float, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None
) -> np.ndarray:
    """(n,) whether a row is held out: it is one of the 1 / share parts that folds of this kind make.

    So groups and duplicates stay together, and classes keep their shares; with folds in time, it is the latest rows.

    Args:
        share: approximate share of the rows, from 0.05 to 0.5.

    Raises:
        KitError: a share out of range, folds that are not drawn, or fewer rows, groups or classes than parts.
    """
    if not 0.05 <= share <= 0.5:
        raise KitError(f"holdout={share:g}: give a share of the rows between 0.05 and 0.5, such as 0.2")
    parts = max(2, round(1 / share))
    try:
        if isinstance(folds, TimeSeries):
            plan = folds.override(f"n={max(2, parts - 1)}").plan(frame, y, duplicates)  # the past is a part as well
            return plan == plan.max()
        if isinstance(folds, RandomFolds):
            return folds.override(f"n={parts}", f"seed={SEED}").plan(frame, y, duplicates) == 0
    except KitError as error:
        raise KitError(f"holdout={share:g}: {error}") from None
    raise KitError(f"holdout={share:g}: {type(folds).__name__} folds are your own, so no rows can be drawn to hold out")


def planned(
    folds: Folds, share: float, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None
) -> np.ndarray:
    """The plan, (n,) int16; rows that are held out have HELD. Arguments as in `held_out`."""
    rest = np.flatnonzero(~held_out(folds, share, frame, y, duplicates))
    plan = np.full(len(frame), HELD, dtype=np.int16)
    same = None if duplicates is None else duplicates[rest]
    plan[rest] = folds.plan(frame.iloc[rest].reset_index(drop=True), y[rest], same)
    return plan

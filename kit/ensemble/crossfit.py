"""Cross-fitting: out-of-fold predictions of a blend, from which a second level learns."""

import numpy as np

from kit.core.errors import KitError
from kit.ensemble.blend import Blend
from kit.ensemble.oof import OutOfFold

RANDOM_FOLDS = 5  # if all rows are in one fold


def cross_fitted(blend: Blend, oof: OutOfFold, user: str) -> np.ndarray:
    """Out-of-fold predictions (n, outputs) of `blend`: each fold is predicted by a blend learnt on all other folds.

    A blend's predictions of rows that it learnt from are too good. A second blend or a calibration that learns from
    them would trust it too much.

    Args:
        blend: the blend to fit.
        oof: the members' out-of-fold predictions, with a plan.
        user: class that needs these predictions, for error messages.

    Raises:
        KitError: `oof.plan` is missing, or all rows lie in one fold.
    """
    plan, folds = oof.plan, oof.folds
    if plan is None:
        raise KitError(
            f"{user} learns from out-of-fold predictions of the blends inside it, which need the fold number of "
            "each row: pass plan"
        )
    if len(folds) < 2:
        raise KitError(
            f"{user} learns from out-of-fold predictions of the blends inside it, but all {len(plan)} rows lie in "
            f"fold {folds[0]}; it needs 2 folds, and 1 more for a nested score and for each such blend around it"
        )
    joined = np.empty(oof.predictions.shape[1:])
    for fold in folds:
        here = oof.fold(fold)
        fitted = blend.fit_oof(oof.rows(plan != fold))
        joined[plan == fold] = fitted.predict_checked(here.predictions, here.columns)
    return joined


def plan_or_random(oof: OutOfFold) -> np.ndarray:
    """The fold of each row. Random folds of whole groups if all rows are in one fold or the folds are unknown."""
    if oof.plan is not None and len(oof.folds) > 1:
        return oof.plan
    alone = np.arange(len(oof.y))
    codes = np.unique(alone if oof.groups is None else oof.groups, return_inverse=True)[1]
    n = int(codes.max()) + 1  # a group is never split
    return np.asarray((np.random.default_rng(0).permutation(n) % min(RANDOM_FOLDS, n))[codes])

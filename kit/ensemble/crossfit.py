"""Cross-fitting: a blend's own out-of-fold predictions, which whatever learns from its output must learn from."""

from dataclasses import replace

import numpy as np

from kit.ensemble.base import Blend, Judged
from kit.spec import KitError


def cross_fitted(blend: Blend, judged: Judged, whose: str) -> np.ndarray:
    """Predictions (n, outputs) of `blend`, each fold joined by what was learnt on all the others.

    What a blend says of rows that it learnt from flatters it, and a second blend or a calibration would believe it.

    Args:
        whose: class that needs these predictions, for the sentence of an error.

    Raises:
        KitError: `judged.plan` is missing, or all rows lie in one fold.
    """
    plan = judged.plan
    if plan is None:
        raise KitError(
            f"{whose} learns from out-of-fold predictions of the blends inside it, and for these the fold number of "
            "each row is missing: pass plan"
        )
    numbers = np.unique(plan).tolist()
    if len(numbers) < 2:
        raise KitError(
            f"{whose} learns from out-of-fold predictions of the blends inside it, but all {len(plan)} rows lie in "
            f"fold {numbers[0]}; it needs 2 folds, and 1 more for a nested score and for each such blend around it"
        )
    joined = np.empty(judged.predictions.shape[1:])
    for fold in numbers:
        here = plan == fold
        inside = None if judged.columns is None else judged.columns[here]
        joined[here] = blend.learn_inside(part(judged, ~here)).join_inside(judged.predictions[:, here], inside)
    return joined


def part(judged: Judged, rows: np.ndarray) -> Judged:
    """The rows where the mask `rows` (n,) is true."""
    return replace(
        judged,
        predictions=judged.predictions[:, rows],
        y=judged.y[rows],
        plan=None if judged.plan is None else judged.plan[rows],
        columns=None if judged.columns is None else judged.columns[rows],
        groups=None if judged.groups is None else judged.groups[rows],
    )

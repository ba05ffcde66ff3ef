"""What the winner of a search is worth on rows that the search never saw, beside the recipe's own settings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kit.blending import out_of_fold
from kit.ensemble.threshold import best_threshold, decide, takes_threshold
from kit.intervals import Difference, paired
from kit.run import Brief, Run
from kit.tune.rescore import fitted


@dataclass(frozen=True)
class Unseen:
    """Scores on rows that no trial has learnt from or been judged on.

    Attributes:
        rows: how many there are.
        winner: the winner's score.
        own: that of the recipe's own settings.
        gain: by how much the winner is better, with its interval over these rows.
    """

    rows: int
    winner: float
    own: float
    gain: Difference

    def facts(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


def unseen(
    run: Run, brief: Brief | None, member: str, settings: Sequence[str], folds: Sequence[int], on: str = "inline"
) -> Unseen:
    """Compares winner and own settings on the rows that `run` holds out.

    Each side is the mean of its folds' models, as on a test set: those models were fitted by the search, so this costs
    no fit, and no early stopping has looked at these rows. A threshold is chosen on the judged rows.

    Args:
        run: with a hold-out.

    Raises:
        KitError: a fold that is not here cannot be fitted.
    """
    metric, y = run.table.task.metric, run.table.y
    judged, said = np.isin(run.plan, list(folds)), []
    for arm in (settings, []):
        one = fitted(run, brief, member, arm, folds, on)
        kept = {fold: found for fold in folds if (found := one.shelf(member).read(fold)) is not None}
        p: np.ndarray = np.mean([found.test for found in kept.values()], axis=0, dtype=np.float64)  # type: ignore[assignment]
        if cut := takes_threshold(metric, y, p):
            p = decide(p, best_threshold(metric, y[judged], out_of_fold(one, kept)[judged]))
        said.append(p)
    at, y = metric.at(0.5) if cut else metric, y[run.held]
    winner, own = said
    return Unseen(
        len(y), float(at(y, winner)), float(at(y, own)), paired(at, y, winner, own, groups=run.clusters_of(run.held))
    )

"""Scores the winner of a search and the recipe's own settings on rows that the search never saw."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kit.ensemble.decide.threshold import best_threshold, decide, takes_threshold
from kit.metrics.intervals import Difference, paired
from kit.run.oof import out_of_fold
from kit.run.run import Run
from kit.tune.rescore import fitted


@dataclass(frozen=True)
class Unseen:
    """Scores on held-out rows: no trial learnt from them or was scored on them.

    Attributes:
        rows: number of these rows.
        winner: the winner's score.
        own: the score of the recipe's own settings.
        gain: how much better the winner is, with its interval over these rows.
    """

    rows: int
    winner: float
    own: float
    gain: Difference

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


def unseen(run: Run, member: str, settings: Sequence[str], folds: Sequence[int], on: str = "inline") -> Unseen:
    """Compares winner and own settings on the rows that `run` holds out.

    The prediction of each side is the mean of its folds' models, as for a test set. The search has fitted these models
    already, and no early stopping used the held-out rows. A threshold is chosen on the out-of-fold rows.

    Args:
        run: a run with a hold-out.
        member: name of the member.
        settings: override strings of the winner.
        folds: folds whose models predict.
        on: the executor for folds that are missing, see `kit.run.execute`.

    Raises:
        KitError: a missing fold cannot be fitted.
    """
    y = run.table.y
    rows, sides = np.isin(run.plan, list(folds)), []
    for arm in (settings, []):
        one = fitted(run, member, arm, folds, on)
        kept = one.gathered(member, folds)
        p: np.ndarray = np.mean([found.test for found in kept.values()], axis=0, dtype=np.float64)  # type: ignore[assignment]
        if cut := takes_threshold(run.table.task.metric, y, p):
            p = decide(p, best_threshold(run.metric_of(rows), y[rows], out_of_fold(one, kept)[rows]))
        sides.append(p)
    metric = run.metric_of(run.held)
    at, y = metric.at(0.5) if cut else metric, y[run.held]
    winner, own = sides
    return Unseen(
        len(y), float(at(y, winner)), float(at(y, own)), paired(at, y, winner, own, groups=run.clusters_of(run.held))
    )

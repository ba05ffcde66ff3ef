"""What the winner of a search is worth on folds drawn anew and with other seeds, beside the recipe's own settings.

The rows are those that chose it. So luck with folds and seeds shows here; luck with rows does not, see
`kit.tune.unseen`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from kit.cv import fit_missing, todo
from kit.intervals import Difference, difference, resampled
from kit.members.wrap import reseeding
from kit.run import Brief, Run
from kit.spec import KitError
from kit.tune.judging import said, scores

APART = 1000  # seeds of the first other plan lie this far from the recipe's own, those of the second twice as far


@dataclass(frozen=True)
class Rescored:
    """Scores of other fits than those that chose, on the same rows.

    Attributes:
        winner: the winner's score in each round.
        own: that of the recipe's own settings in the same rounds.
        gain: by how much the winner is better, the mean over rounds, with its interval over rows.
        drawn: the folds were drawn anew; else (time, your own columns) only the seeds are others.
    """

    winner: tuple[float, ...]
    own: tuple[float, ...]
    gain: Difference
    drawn: bool

    def facts(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


def rescore(
    run: Run,
    brief: Brief | None,
    member: str,
    settings: Sequence[str],
    folds: Sequence[int],
    rounds: int,
    on: str = "inline",
    resamples: int = 1000,
    over: Callable[[], bool] = lambda: False,
) -> Rescored | None:
    """Fits winner and own settings in `rounds` other fold plans, each with another seed, and compares them in pairs.

    The interval is the bootstrap's over rows, the same rows drawn for both sides of a round (and in every round, where
    all folds judge); that other fits of the same settings would differ as well shows in the spread over rounds. It
    holds for fits that were not chosen: the winner was, by these rows, so it is no test of its gain.

    Args:
        over: asked before each round whether the time is up.

    Returns:
        None where the time was up before the first round.

    Raises:
        KitError: a fold failed.
    """
    metric, drawn = run.table.task.metric, hasattr(run.recipe.folds, "seed")
    values: list[list[float]] = []
    drawings = []
    for number in range(1, rounds + 1):
        if over():
            break
        elsewhere = reseeding(member, run.recipe.members[member], number * APART)
        if drawn:
            elsewhere.append(f"folds.seed={getattr(run.recipe.folds, 'seed') + number * APART}")  # noqa: B009
        arms = [fitted(run, brief, member, [*arm, *elsewhere], folds, on) for arm in (settings, [])]
        (rows, winner), (_, own) = (said(arm, member, folds) for arm in arms)
        values.append([scores(arm, member, folds)[1] for arm in arms])
        cut = metric.threshold is not None and winner.shape[1] == run.table.y.shape[1]
        judged = metric.at(0.5) if cut else metric
        drawings.append(resampled(judged, run.table.y[rows], [winner, own], resamples, 0, run.clusters_of(rows)))
    if not values:
        return None
    means = np.mean(values, axis=0)
    gain = difference(metric, (float(means[0]), float(means[1])), np.mean(drawings, axis=0))
    return Rescored(tuple(v[0] for v in values), tuple(v[1] for v in values), gain, drawn)


def fitted(run: Run, brief: Brief | None, member: str, settings: Sequence[str], folds: Sequence[int], on: str) -> Run:
    """The run under further settings, with these folds of a member finished.

    Raises:
        KitError: a fold failed.
    """
    one = run.under(run.recipe.override(*settings))
    names = replace(brief, settings=(*brief.settings, *settings)) if brief else None
    outcomes = fit_missing(one, todo(one, [member], one.chosen_folds(list(folds))).missing, on, names)
    for (_, fold), outcome in outcomes.items():
        if outcome not in ("done", "kept"):
            path = one.shelf(member).part(fold)
            raise KitError(f"scoring again: fold {fold} is {outcome}, see {path}; run this again to go on")
    return one

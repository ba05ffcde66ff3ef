"""Scores the winner of a search and the recipe's own settings again, on newly drawn folds and with other seeds.

The rows are the same that chose the winner. So this shows luck with folds and seeds, but not luck with rows; for that
see `kit.tune.unseen`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kit.core.errors import Unfinished
from kit.members.reseeding import reseeding
from kit.metrics.intervals import Difference, difference, resampled
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.tune.scores import oof_predictions, scores

APART = 1000  # distance of seeds: the first round adds this to the recipe's seeds, the second adds it twice


@dataclass(frozen=True)
class Rescored:
    """Scores of new fits, which had no part in the choice, on the same rows.

    Attributes:
        winner: the winner's score in each round.
        own: the score of the recipe's own settings in each round.
        gain: how much better the winner is, as the mean over rounds, with its interval over rows.
        drawn: whether the folds are new. If not (folds by time, or by your own column), only the seeds are new.
    """

    winner: tuple[float, ...]
    own: tuple[float, ...]
    gain: Difference
    drawn: bool

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


def rescore(
    run: Run,
    member: str,
    settings: Sequence[str],
    folds: Sequence[int],
    rounds: int,
    on: str = "inline",
    resamples: int = 1000,
    over: Callable[[], bool] = lambda: False,
) -> Rescored | None:
    """Fits winner and own settings in `rounds` new fold plans, each with another seed, and compares them in pairs.

    The interval comes from a bootstrap over rows that draws the same rows for both sides of a round (and for all
    rounds, if all folds are scored). The variation between fits of the same settings shows in the differences between
    rounds. The interval is no test of the gain: the winner was chosen by its score on these same rows.

    Args:
        run: recipe, rows and run folder.
        member: name of the member.
        settings: override strings of the winner.
        folds: folds that are scored.
        rounds: number of new fold plans.
        on: the executor, see `kit.run.execute`.
        resamples: number of bootstrap resamples.
        over: returns whether the time is up; called before each round.

    Returns:
        None if the time was up before the first round.

    Raises:
        Unfinished: a fold failed.
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
        arms = [fitted(run, member, [*arm, *elsewhere], folds, on) for arm in (settings, [])]
        (rows, winner), (_, own) = (oof_predictions(arm, member, folds) for arm in arms)
        values.append([scores(arm, member, folds)[1] for arm in arms])
        cut = metric.threshold is not None and winner.shape[1] == run.table.y.shape[1]
        at = run.metric_of(rows).at(0.5) if cut else run.metric_of(rows)
        drawings.append(resampled(at, run.table.y[rows], [winner, own], resamples, 0, run.clusters_of(rows)))
    if not values:
        return None
    means = np.mean(values, axis=0)
    gain = difference(metric, (float(means[0]), float(means[1])), np.mean(drawings, axis=0))
    return Rescored(tuple(v[0] for v in values), tuple(v[1] for v in values), gain, drawn)


def fitted(run: Run, member: str, settings: Sequence[str], folds: Sequence[int], on: str) -> Run:
    """The run with more settings, after fitting these folds of the member.

    Raises:
        Unfinished: a fold failed.
    """
    one = run.with_settings(*settings)
    for job, outcome in fit_jobs(jobs_of(one, [member], folds), on).items():
        if not outcome.finished:
            path = job.store.part(job.fold)
            raise Unfinished(f"scoring again: fold {job.fold} is {outcome.state}, see {path}; run this again to go on")
    return one

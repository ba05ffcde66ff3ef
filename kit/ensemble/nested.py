"""The honest score of a blend: every fold is judged by weights that were learnt without it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from kit.ensemble.base import Blend, Blended, checked, scaled_ranks
from kit.ensemble.mean import Mean
from kit.ensemble.threshold import (
    best_threshold,
    decide_folds,
    fit_thresholded,
    judge,
    judge_folds,
    takes_threshold,
    unseen_thresholds,
)
from kit.intervals import Difference, Interval, difference, percentiles, resampled
from kit.metrics import Metric
from kit.spec import KitError

MANY = 200_000  # cells (rows × targets) from which on FEWER resamples are drawn: a thousand would take half a minute
ROUNDS, FEWER = 1000, 300


@dataclass(frozen=True)
class NestedScore:
    """What a blend scores on folds that its weights have not seen.

    Attributes:
        metric: what is judged by.
        predictions: (n, outputs) blended out-of-fold predictions.
        score: of all rows pooled.
        folds: fold number → score of that fold's rows; nan where the metric cannot judge them (labels all equal).
        weights: fold number → member name → weight, learnt on all other folds (`ordered`: on all earlier ones).
        best: the single member with the best pooled score. It was picked on the very rows it is scored on,
            so `gain` errs, if at all, on the side of modesty.
        best_score: its pooled score, each fold at the threshold that the others choose, where the metric has one.
        thresholds: fold number → the blend's thresholds, chosen on all other folds; () where nothing is cut.
        chosen: fold number → the blend that Auto took without it; empty for other blends.
        equal: folds before which too little lies to learn weights, where folds are ordered: equal ones join them.
        ordered: weights and thresholds come from earlier folds alone.
        interval: 95 % of `score`, by bootstrap over rows, or over groups; None where none was asked for.
        apart: `gain` with its 95 % interval, on the same resamples; None where none was asked for.
    """

    metric: Metric
    predictions: np.ndarray
    score: float
    folds: dict[int, float]
    weights: dict[int, dict[str, float]]
    best: str
    best_score: float
    thresholds: dict[int, tuple[float, ...]]
    chosen: dict[int, str] = field(default_factory=dict)
    equal: tuple[int, ...] = ()
    ordered: bool = False
    interval: Interval | None = None
    apart: Difference | None = None

    @property
    def gain(self) -> float:
        """By how much the blend is better than the best single member; negative where it is worse."""
        return self.score - self.best_score if self.metric.greater_is_better else self.best_score - self.score

    def summary(self) -> dict[str, Any]:
        """All but the predictions, ready for JSON: nan, which JSON does not know, becomes None."""
        told: dict[str, Any] = {"note": self.note} if self.ordered else {}
        if self.chosen:
            told["chosen"] = {str(fold): choice for fold, choice in self.chosen.items()}
        return told | {
            "metric": self.metric.name,
            "nested": _known(self.score),
            "interval": [_known(self.interval.low), _known(self.interval.high)] if self.interval else None,
            "folds": {str(fold): _known(score) for fold, score in self.folds.items()},
            "weights": {str(fold): weights for fold, weights in self.weights.items()},
            "best_member": self.best,
            "best_member_score": _known(self.best_score),
            "gain": _known(self.gain),
            "gain_interval": [_known(self.apart.low), _known(self.apart.high)] if self.apart else None,
            "thresholds": {str(fold): list(cuts) for fold, cuts in self.thresholds.items()},
        }

    @property
    def note(self) -> str:
        """How folds that lie one after another in time were joined."""
        first = (
            f"; equal ones join fold {', '.join(map(str, self.equal))}, too early to learn any" if self.equal else ""
        )
        return f"weights are learnt on earlier folds alone{first}"

    def __str__(self) -> str:
        return (
            f"nested {self.metric.name} {self.interval or format(self.score, '.5f')}, "
            f"best single member {self.best} {self.best_score:.5f}, gain {self.apart or format(self.gain, '+.5f')}"
        )


def nested(
    blend: Blend,
    predictions: np.ndarray,
    y: np.ndarray,
    plan: np.ndarray,
    metric: Metric,
    names: Sequence[str] = (),
    columns: pd.DataFrame | None = None,
    rounds: int | None = None,
    groups: np.ndarray | None = None,
    ordered: bool = False,
) -> NestedScore | None:
    """Learns weights (and thresholds, where the metric has one) on all folds but one, blends that one, for each fold.

    A rank blend ranks the rows of the judged fold among themselves: so is the test set blended, in one go by itself,
    and ranks among all folds would compare numbers of different fits. For the same reason, where Auto takes another
    kind of blend without another fold, and the metric looks at order alone, each fold's predictions become ranks.

    What stays indirect: members' predictions of the other folds came from fits that saw this fold's labels.
    Only refitting every member inside every fold would remove that, and with one weight a member it is small.

    Args:
        predictions: (members, n, outputs) out-of-fold predictions of judged rows.
        y: (n, targets) labels.
        plan: (n,) fold number of each row.
        names: one a member; empty calls them by their index.
        columns: (n, …) the original columns of `blend.needs`.
        rounds: resamples of the intervals; 0 for no intervals, None for ROUNDS, or FEWER where there are many rows.
        groups: (n,) group of each row, where rows of a group are alike: whole groups are drawn. None draws row by row.
        ordered: folds lie one after another in time. Weights and thresholds of each are then learnt on earlier ones
            alone; those before which too few lie (the first, mostly) are joined by equal weights, see `NestedScore`.

    Returns:
        None where all rows lie in one fold, as in a partial run (`folds=0`): that is no mistake, but there is
        nothing to learn honest weights on.

    Raises:
        KitError: shapes disagree, a row lies in no fold (its number is negative), or what `Blend.fit` refuses.
    """
    names = tuple(names) or tuple(str(i) for i in range(len(predictions)))
    predictions, plan = checked(predictions, names, blend.compact), np.asarray(plan).reshape(-1)
    if not predictions.shape[1] == len(y) == len(plan):
        rows = predictions.shape[1]
        raise KitError(f"nested blend: {rows} rows of predictions, {len(y)} of labels and {len(plan)} fold numbers")
    if (plan < 0).any():
        raise KitError(f"nested blend: {int((plan < 0).sum())} rows lie in no fold; pass only rows that were judged")
    groups = None if groups is None else np.asarray(groups).reshape(-1)
    if groups is not None and len(groups) != len(y):
        raise KitError(f"nested blend: {len(y)} rows, but {len(groups)} groups; give each row its own")
    numbers = np.unique(plan).tolist()
    if len(numbers) < 2:
        return None

    blended = np.empty(predictions.shape[1:])
    folds: dict[int, float] = {}
    weights: dict[int, dict[str, float]] = {}
    thresholds: dict[int, tuple[float, ...]] = {}
    chosen: dict[int, str] = {}
    equal: list[int] = []
    kinds: set[type[Blended]] = set()
    for at, fold in enumerate(numbers):
        here = plan == fold
        how, rows = blend, (plan < fold) if ordered else ~here
        if blind := ordered and at < max(1, blend.folds_needed):  # too little lies before this fold
            how, rows = (Mean() if blend.folds_needed else blend), here  # neither reads labels
            equal += [fold] if blend.folds_needed else []
        inside, outside = (None if columns is None else columns[part] for part in (here, rows))
        alike = None if groups is None else groups[rows]
        fitted = fit_thresholded(how, predictions[:, rows], y[rows], metric, names, plan[rows], outside, alike)
        kinds.add(type(fitted))
        blended[here] = fitted.apply(predictions[:, here], inside)
        weights[fold] = fitted.weights
        thresholds[fold] = _own(metric, fitted.thresholds) if blind else fitted.thresholds
        if choice := fitted.story().get("choice"):
            chosen[fold] = choice
        folds[fold] = judge(metric, y[here], blended[here], thresholds[fold])
    if metric.needs == "rank" and max(len(set(chosen.values())), len(kinds)) > 1:  # they differ in scale
        for fold in numbers:
            blended[plan == fold] = scaled_ranks(blended[plan == fold])
    # as float64 one by one: log loss clips by the width
    cuts = [_cuts(metric, y, p.astype(np.float64), plan, ordered) for p in predictions]
    pairs = zip(predictions, cuts, strict=True)
    singles = [judge_folds(metric, y, p.astype(np.float64), plan, cut) for p, cut in pairs]
    best = reduce(lambda a, b: b if metric.better(singles[b], singles[a]) else a, range(len(singles)))
    score = judge_folds(metric, y, blended, plan, thresholds)
    found = NestedScore(metric, blended, score, folds, weights, names[best], singles[best], thresholds, chosen)
    found = replace(found, equal=tuple(equal), ordered=ordered)
    if rounds == 0 or np.isnan(score):
        return found
    decided, said = decide_folds(metric, blended, plan, thresholds)
    rival = decide_folds(metric, predictions[best].astype(np.float64), plan, cuts[best])[1]
    drawn = resampled(decided, y, [said, rival], rounds or (ROUNDS if y.size < MANY else FEWER), groups=groups)
    apart = difference(metric, (score, singles[best]), drawn)
    return replace(found, interval=Interval(score, *percentiles(drawn[:, 0])), apart=apart)


def _cuts(
    metric: Metric, y: np.ndarray, p: np.ndarray, plan: np.ndarray, ordered: bool
) -> dict[int, tuple[float, ...]]:
    """For each fold the thresholds best on all others, or on those before it; see `unseen_thresholds`."""
    if not ordered or not takes_threshold(metric, y, p):
        return unseen_thresholds(metric, y, p, plan)
    first, *later = np.unique(plan).tolist()
    own = {first: _own(metric, (0.0,) * p.shape[1])}
    return own | {fold: best_threshold(metric, y[plan < fold], p[plan < fold]) for fold in later}


def _own(metric: Metric, thresholds: tuple[float, ...]) -> tuple[float, ...]:
    """The metric's own threshold in place of those that were found, if any."""
    return () if metric.threshold is None else (metric.threshold,) * len(thresholds)


def _known(score: float) -> float | None:
    return None if np.isnan(score) else score

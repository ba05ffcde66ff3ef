"""The honest score of a blend: every fold is scored with weights that were learnt without it."""

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.ensemble.blend import Blend
from kit.ensemble.blends.mean import Mean
from kit.ensemble.decide.threshold import (
    best_threshold,
    decide_folds,
    out_of_fold_thresholds,
    score_at,
    score_at_folds,
    takes_threshold,
)
from kit.ensemble.fitted import FittedBlend
from kit.ensemble.oof import OutOfFold
from kit.ensemble.predictions import scaled_ranks
from kit.ensemble.thresholded import fit_thresholded
from kit.metrics import Metric
from kit.metrics.intervals import Difference, Interval, difference, percentiles, resampled

MANY = 200_000  # with more cells (rows × targets) only FEWER resamples are drawn: 1,000 would take half a minute
ROUNDS, FEWER = 1000, 300


@dataclass(frozen=True)
class NestedScore:
    """The score of a blend on folds that its weights have not seen.

    Attributes:
        metric: the metric of the scores.
        predictions: (n, outputs) blended out-of-fold predictions.
        score: score of all rows together.
        folds: fold number → score of that fold's rows; NaN if the metric is undefined (all labels are equal).
        weights: fold number → member name → weight, learnt on all other folds (`ordered`: on all earlier ones).
        best: the single member with the best score of all rows. It was chosen by this score, so `gain` is too small
            rather than too large.
        best_score: its score; if the metric has a threshold, each fold at the best threshold of the other folds.
        thresholds: fold number → the blend's thresholds, chosen on all other folds; () without thresholds.
        chosen: fold number → the blend that Auto chose without this fold; empty for other blends.
        equally_weighted: if folds are ordered in time: the folds with too few earlier folds to learn weights from. They
            have equal weights.
        ordered: whether weights and thresholds come from earlier folds only.
        interval: 95 % interval of `score`, by bootstrap over rows, or over groups; None without resamples.
        gain_interval: `gain` with its 95 % interval, on the same resamples; None without resamples.
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
    equally_weighted: tuple[int, ...] = ()
    ordered: bool = False
    interval: Interval | None = None
    gain_interval: Difference | None = None

    @property
    def gain(self) -> float:
        """How much better the blend is than the best single member; negative if it is worse."""
        return self.score - self.best_score if self.metric.greater_is_better else self.best_score - self.score

    def summary(self) -> dict[str, Any]:
        """All but the predictions, JSON-ready: NaN becomes None."""
        gain = self.gain_interval
        extra: dict[str, Any] = {"note": self.note} if self.ordered else {}
        if self.chosen:
            extra["chosen"] = {str(fold): choice for fold, choice in self.chosen.items()}
        return extra | {
            "metric": self.metric.name,
            "nested": _known(self.score),
            "interval": [_known(self.interval.low), _known(self.interval.high)] if self.interval else None,
            "folds": {str(fold): _known(score) for fold, score in self.folds.items()},
            "weights": {str(fold): weights for fold, weights in self.weights.items()},
            "best_member": self.best,
            "best_member_score": _known(self.best_score),
            "gain": _known(self.gain),
            "gain_interval": [_known(gain.low), _known(gain.high)] if gain else None,
            "thresholds": {str(fold): list(cuts) for fold, cuts in self.thresholds.items()},
        }

    @property
    def note(self) -> str:
        """How folds that are ordered in time were blended."""
        folds = ", ".join(map(str, self.equally_weighted))
        first = f"; fold {folds} has equal weights, as it has too few earlier folds" if folds else ""
        return f"weights are learnt on earlier folds only{first}"

    def __str__(self) -> str:
        gain = self.gain_interval or format(self.gain, "+.5f")
        return (
            f"nested {self.metric.name} {self.interval or format(self.score, '.5f')}, "
            f"best single member {self.best} {self.best_score:.5f}, gain {gain}"
        )


def nested(blend: Blend, oof: OutOfFold, rounds: int | None = None) -> NestedScore | None:
    """The nested score: for each fold, learns weights (and thresholds) on all other folds, and blends this fold.

    A rank blend ranks the rows of each fold separately: the test set is ranked separately too, and ranks over all folds
    would compare predictions of different fits. For the same reason predictions become ranks in each fold if Auto
    chooses different blends for different folds and the metric depends on the order only.

    One indirect leak remains: members' predictions of the other folds come from fits that saw this fold's labels. Only
    refitting all members inside each fold would avoid it. With one weight per member it is small.

    Args:
        blend: the blend to score.
        oof: out-of-fold predictions with a plan. With groups, whole groups are resampled. If it is `ordered`, the
            weights of a fold are learnt on earlier folds only; folds with too few earlier folds (mostly the first) get
            equal weights, see `NestedScore`.
        rounds: number of resamples for the intervals; 0: no intervals; None: ROUNDS, or FEWER if there are many rows.

    Returns:
        The score. None if all rows are in one fold, as in a partial run (`folds=0`): then there are no other folds.

    Raises:
        KitError: `oof` has no plan, or `Blend.fit` raises it.
    """
    y, plan, metric, ordered = oof.y, _plan(oof), oof.metric, oof.ordered
    if len(oof.folds) < 2:
        return None
    blended = np.empty(oof.predictions.shape[1:])
    scores: dict[int, float] = {}
    weights: dict[int, dict[str, float]] = {}
    thresholds: dict[int, tuple[float, ...]] = {}
    chosen: dict[int, str] = {}
    equally: list[int] = []
    kinds: set[type[FittedBlend]] = set()
    for at, fold in enumerate(oof.folds):
        here = plan == fold
        how, rows = blend, (plan < fold) if ordered else ~here
        if blind := ordered and at < max(1, blend.folds_needed):  # there are too few folds before this one
            how, rows = (Mean() if blend.folds_needed else blend), here  # neither reads labels
            equally += [fold] if blend.folds_needed else []
        held_out = oof.rows(here)
        fitted = fit_thresholded(how, oof.rows(rows))
        kinds.add(type(fitted))
        blended[here] = fitted.predict_checked(held_out.predictions, held_out.columns)
        weights[fold] = fitted.weights
        thresholds[fold] = _own(metric, fitted.thresholds) if blind else fitted.thresholds
        if choice := fitted.explanation().get("choice"):
            chosen[fold] = choice
        scores[fold] = score_at(held_out.metric, held_out.y, blended[here], thresholds[fold])
    if metric.needs == "rank" and max(len(set(chosen.values())), len(kinds)) > 1:  # they differ in scale
        for fold in oof.folds:
            blended[plan == fold] = scaled_ranks(blended[plan == fold])
    best, best_score, rival = _best_member(oof)
    score = score_at_folds(metric, y, blended, plan, thresholds)
    found = NestedScore(
        metric, blended, score, scores, weights, best, best_score, thresholds, chosen, tuple(equally), ordered
    )
    if rounds == 0 or np.isnan(score):
        return found
    decided, decisions = decide_folds(metric, blended, plan, thresholds)
    rounds = rounds or (ROUNDS if y.size < MANY else FEWER)
    drawn = resampled(decided, y, [decisions, rival], rounds, groups=oof.groups)
    gain = difference(metric, (score, best_score), drawn)
    return replace(found, interval=Interval(score, *percentiles(drawn[:, 0])), gain_interval=gain)


def _best_member(oof: OutOfFold) -> tuple[str, float, np.ndarray]:
    """Name, score and decisions (n, outputs) of the best single member, each fold at the others' best threshold."""
    metric, plan = oof.metric, _plan(oof)
    cuts, scores = [], []
    for member in oof.predictions:
        p = member.astype(np.float64)  # one member at a time, as a bank may be large; log loss clips by the dtype
        cuts.append(_cuts(oof, p))
        scores.append(score_at_folds(metric, oof.y, p, plan, cuts[-1]))
    best = reduce(lambda a, b: b if metric.better(scores[b], scores[a]) else a, range(len(scores)))
    rival = decide_folds(metric, oof.predictions[best].astype(np.float64), plan, cuts[best])[1]
    return oof.names[best], scores[best], rival


def _cuts(oof: OutOfFold, p: np.ndarray) -> dict[int, tuple[float, ...]]:
    """For each fold the thresholds best on all others, or on those before it; see `out_of_fold_thresholds`."""
    metric, y, plan = oof.metric, oof.y, _plan(oof)
    if not oof.ordered or not takes_threshold(metric, y, p):
        return out_of_fold_thresholds(metric, y, p, plan)
    first, *later = oof.folds
    own = {first: _own(metric, (0.0,) * p.shape[1])}
    return own | {f: best_threshold(metric.take(plan < f), y[plan < f], p[plan < f]) for f in later}


def _plan(oof: OutOfFold) -> np.ndarray:
    if oof.plan is None:
        raise KitError("nested blend: the fold number of each row is missing; give plan")
    return oof.plan


def _own(metric: Metric, thresholds: tuple[float, ...]) -> tuple[float, ...]:
    """The metric's own threshold in place of those that were found, if any."""
    return () if metric.threshold is None else (metric.threshold,) * len(thresholds)


def _known(score: float) -> float | None:
    return None if np.isnan(score) else score

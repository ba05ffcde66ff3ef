"""Auto: tries several blends and chooses one by its nested score and its simplicity."""

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.ensemble.blend import Blend
from kit.ensemble.blends.geometric import Geometric
from kit.ensemble.blends.greedy import Greedy
from kit.ensemble.blends.hill import HillClimb
from kit.ensemble.blends.mean import Mean
from kit.ensemble.blends.per_column import PerColumn
from kit.ensemble.blends.power import Power
from kit.ensemble.blends.rank import RankMean
from kit.ensemble.blends.simplex import Simplex
from kit.ensemble.calibrate.calibrated import Calibrated
from kit.ensemble.crossfit import cross_fitted, plan_or_random
from kit.ensemble.decide.threshold import decide_folds, out_of_fold_thresholds
from kit.ensemble.fitted import FittedBlend
from kit.ensemble.fitted_auto import FittedAuto, TriedBlend, as_settings
from kit.ensemble.oof import OutOfFold
from kit.ensemble.stack.models import LeastSquares
from kit.ensemble.stack.stack import Stack
from kit.ensemble.wrapper import Composite
from kit.metrics import Metric
from kit.metrics.intervals import difference, resampled

ROUNDS, FEWER, MANY = 300, 100, 100_000  # number of resamples: FEWER if there are MANY cells (rows × targets)


class Auto(Composite):
    """Computes the nested score of every choice, and takes the simplest one that is about as good as the best.

    It is the one-standard-error rule (Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3) with
    half a standard error: a whole one costs too much score if there are few rows. The standard error is that of the
    paired difference to the best, by bootstrap over rows (over groups, if folds are grouped). The rule is needed
    because the best of many scores is partly luck. If the metric scores decisions, each fold has the best threshold of
    the other folds.

    A choice that refuses the task or needs too much memory is left out, with the reason. In a nested score of Auto
    itself, Auto chooses on the other folds only, so the score includes the effect of the choice.
    """

    choices: tuple[Blend, ...] = Field(
        (
            Mean(),
            RankMean(),
            Geometric(),
            Power(),
            Greedy(),
            Greedy(bags=10),
            Simplex(),
            HillClimb(),
            PerColumn(blend=Greedy()),
            PerColumn(blend=Simplex()),
            Stack(model=LeastSquares()),
            Stack(),
            Calibrated(blend=Simplex()),
        ),
        min_length=1,
        description="the blends to try, the simplest first",
    )
    within: float = Field(0.5, ge=0, description="a simpler blend may be this many standard errors worse than the best")

    @validator(mode="after")
    def _no_auto_inside(self) -> "Auto":
        if any(blend.may_change_kind for blend in self.choices):
            raise ValueError("Auto: one of its choices is an Auto too; list the choices of the inner one directly")
        return self

    @property
    def inner(self) -> tuple[Blend, ...]:
        return self.choices

    @property
    def fixed_kind(self) -> tuple[Blend, ...]:
        return ()

    @property
    def may_change_kind(self) -> bool:
        return True

    def named(self, choice: str) -> Blend:
        """The choice that `FittedAuto.choice` names."""
        return self.choices[as_settings(self.choices).index(choice)]

    def settled(self, fitted: FittedBlend) -> Blend:
        return self.named(fitted.choice) if isinstance(fitted, FittedAuto) else self

    def learn(self, oof: OutOfFold) -> "FittedAuto":
        oof = oof.with_plan(plan_or_random(oof))
        metric = oof.goal or oof.metric
        scores: dict[int, float] = {}
        decisions: dict[int, np.ndarray] = {}
        refused: dict[int, str] = {}
        decided = metric
        for i, blend in enumerate(self.choices):
            if why := self._pointless(blend, oof):
                refused[i] = why
                continue
            try:
                decided, decisions[i] = _decisions(blend, oof)
                scores[i] = decided(oof.y, decisions[i])
            except (KitError, MemoryError, np.linalg.LinAlgError) as error:
                refused[i] = str(error) or type(error).__name__
        known = [i for i, score in scores.items() if not np.isnan(score)]
        if not known:
            why = "; ".join(dict.fromkeys(refused.values())) or f"{metric.name} is undefined on these rows"
            raise KitError(f"Auto: none of its choices can be fitted here: {why}")
        sign = -1 if metric.greater_is_better else 1
        best = min(known, key=lambda i: sign * scores[i])
        rounds = ROUNDS if oof.y.size < MANY else FEWER
        drawn = resampled(decided, oof.y, [decisions[i] for i in known], rounds, groups=oof.groups)
        resamples = dict(zip(known, drawn.T, strict=True))
        errors = {i: float(np.nanstd(resamples[i] - resamples[best])) for i in known}
        near = [i for i in known if sign * (scores[i] - scores[best]) <= self.within * errors[i]]
        chosen = min(near)

        names, tried = as_settings(self.choices), []
        for i, name in enumerate(names):
            behind = None
            if i in known:
                pair = np.column_stack([resamples[i], resamples[chosen]])
                behind = difference(metric, (scores[i], scores[chosen]), pair)
                behind = None if np.isnan(behind.low) else behind
            tried.append(TriedBlend(name, scores[i] if i in known else None, behind, refused.get(i, "")))
        reason = _reason(metric.name, names, scores, errors, best, chosen, self.within)
        return FittedAuto(self.choices[chosen].fit_oof(oof), names[chosen], reason, tuple(tried))

    def _pointless(self, blend: Blend, oof: OutOfFold) -> str:
        """Why a choice is not tried: another choice gives the same blend."""
        if isinstance(blend, PerColumn) and oof.outputs == 1:
            return f"there is only one column; {type(blend.blend).__name__} does the same"
        if isinstance(blend, Calibrated) and oof.metric.needs == "rank" and blend.blend in self.choices:
            return f"calibration keeps the order, so {type(blend.blend).__name__} does the same"
        return ""


def _decisions(blend: Blend, oof: OutOfFold) -> tuple[Metric, np.ndarray]:
    """A choice's out-of-fold predictions or decisions (n, outputs), and the metric that scores them."""
    p = cross_fitted(blend, oof, "Auto")
    if oof.goal is None or oof.plan is None:
        return oof.metric, p
    # as in a nested score, the thresholds of a fold are the best ones of the others
    return decide_folds(oof.goal, p, oof.plan, out_of_fold_thresholds(oof.goal, oof.y, p, oof.plan))


def _reason(
    metric: str,
    names: list[str],
    scores: dict[int, float],
    errors: dict[int, float],
    best: int,
    chosen: int,
    part: float,
) -> str:
    if chosen == best:
        rule = f"no simpler one comes within {part:g} standard errors of it" if chosen else "and it is the simplest"
        return f"{names[best]} has the best nested {metric} of {len(scores)} choices, {scores[best]:.5f}; {rule}."
    behind = abs(scores[chosen] - scores[best])
    return (
        f"{names[chosen]} is the simplest choice whose nested {metric}, {scores[chosen]:.5f}, is about the best: "
        f"{names[best]} is {behind:.5f} better, which is {behind / errors[chosen]:.2f} standard errors of the paired "
        f"difference (up to {part:g} is given for simplicity)."
    )

"""Auto: tries blends, takes one by its nested score and its simplicity, and says why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.ensemble.base import Around, Blend, Blended, Judged, revived
from kit.ensemble.calibrated import Calibrated
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.geometric import Geometric
from kit.ensemble.greedy import Greedy
from kit.ensemble.hill import HillClimb
from kit.ensemble.mean import Mean
from kit.ensemble.per_column import PerColumn
from kit.ensemble.power import Power
from kit.ensemble.prior import named, outermost
from kit.ensemble.rank import RankMean
from kit.ensemble.simplex import Simplex
from kit.ensemble.stack import Stack
from kit.ensemble.stack_models import LeastSquares
from kit.intervals import Difference, difference, resampled
from kit.spec import KitError, Spec, validator

ROUNDS, FEWER, MANY = 300, 100, 100_000  # resamples, and how many from so many cells on
PARTS = 5  # folds of its own, where all rows come from one


class Auto(Blend):
    """Judges every choice as a nested score does and takes the simplest that is about as good as the best.

    The one-standard-error rule (Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3), with the
    standard error of the paired difference to the best, by bootstrap over rows (over groups, where folds are grouped),
    and a part of it alone: a whole one gives away more than simplicity is worth where rows are few. What was learnt
    from more numbers is chosen only for what it shows on rows it has not seen, and the best of many scores is a little
    lucky. Where decisions are judged, each fold's are cut where the others are best.

    A choice that refuses the task, or for which memory does not suffice, is left out and the reason kept. Where Auto
    itself is judged by a nested score, it chooses within each fold's own train rows, so its score is honest about the
    choosing too.
    """

    compact: ClassVar[bool] = True

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
        description="blends that are tried, the simplest first",
    )
    within: float = Field(0.5, ge=0, description="a simpler one may be this many standard errors worse than the best")

    @validator(mode="after")
    def _shifts_last(self) -> "Auto":
        for blend in self.choices:
            outermost(blend, "Auto")
            if blend.fickle:
                raise ValueError("Auto: one of its choices is itself an Auto; write that one's choices among its own")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for blend in self.choices for name in blend.needs))

    @property
    def fickle(self) -> bool:
        return True

    def named(self, choice: str) -> Blend:
        """The choice that `Chosen.choice` names."""
        return self.choices[spelled(self.choices).index(choice)]

    def learn(self, judged: Judged) -> Blended:
        from kit.ensemble.threshold import decide_folds, unseen_thresholds  # it knows what Auto gives

        plan = _parts(judged)
        judged = replace(judged, plan=plan)
        y, metric = judged.y, judged.goal or judged.metric
        said: dict[int, np.ndarray] = {}
        scores: dict[int, float] = {}
        refused: dict[int, str] = {}
        decided = metric
        for i, blend in enumerate(self.choices):
            if why := self._pointless(blend, judged):
                refused[i] = why
                continue
            try:
                joined = cross_fitted(blend, judged, "Auto")
                if judged.goal is not None:  # each fold is cut where the others are best, as a nested score cuts it
                    decided, joined = decide_folds(metric, joined, plan, unseen_thresholds(metric, y, joined, plan))
                scores[i], said[i] = decided(y, joined), joined
            except (KitError, MemoryError, np.linalg.LinAlgError) as error:
                refused[i] = str(error) or type(error).__name__
        known = [i for i, score in scores.items() if not np.isnan(score)]
        if not known:
            why = "; ".join(dict.fromkeys(refused.values())) or f"{metric.name} cannot judge these rows"
            raise KitError(f"Auto: none of its choices can blend here: {why}")
        sign = -1 if metric.greater_is_better else 1
        best = min(known, key=lambda i: sign * scores[i])
        rounds = ROUNDS if y.size < MANY else FEWER
        drawn = resampled(decided, y, [said[i] for i in known], rounds, groups=judged.groups)
        resamples = dict(zip(known, drawn.T, strict=True))
        errors = {i: float(np.nanstd(resamples[i] - resamples[best])) for i in known}
        near = [i for i in known if sign * (scores[i] - scores[best]) <= self.within * errors[i]]
        chosen = min(near)

        names, trials = spelled(self.choices), []
        for i, name in enumerate(names):
            apart = None
            if i in known:
                pair = np.column_stack([resamples[i], resamples[chosen]])
                apart = difference(metric, (scores[i], scores[chosen]), pair)
                apart = None if np.isnan(apart.low) else apart
            trials.append(Trial(name, scores[i] if i in known else None, apart, refused.get(i, "")))
        reason = _reason(metric.name, names, scores, errors, best, chosen, self.within)
        return Chosen(self.choices[chosen].learn_inside(judged), names[chosen], reason, tuple(trials))

    def _pointless(self, blend: Blend, judged: Judged) -> str:
        """Why a choice need not be tried, because another one comes to the same."""
        if isinstance(blend, PerColumn) and judged.predictions.shape[2] == 1:
            return f"there is one column alone; {type(blend.blend).__name__} does the same"
        if isinstance(blend, Calibrated) and judged.metric.needs == "rank" and blend.blend in self.choices:
            return f"calibration keeps the order, which alone counts here; {type(blend.blend).__name__} does the same"
        return ""


@dataclass(frozen=True)
class Trial:
    """What became of one choice.

    Attributes:
        blend: its class, with the settings that are not its defaults.
        nested: its nested score; None where it has none.
        apart: by how much it is better than the one that was taken, with its paired 95 % interval; None likewise.
        refused: why it cannot blend here.
    """

    blend: str
    nested: float | None
    apart: Difference | None
    refused: str = ""

    def facts(self) -> dict[str, Any]:
        """The trial, ready for JSON."""
        apart = self.apart
        return {
            "blend": self.blend,
            "nested": self.nested,
            "against the chosen": apart.value if apart else None,
            "interval": [apart.low, apart.high] if apart else None,
            "p": apart.p if apart else None,
            "refused": self.refused,
        }

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        """What gave these `facts`."""
        apart = None
        if facts["interval"] is not None:
            low, high = facts["interval"]
            apart = Difference(facts["against the chosen"], low, high, facts["p"])
        return cls(facts["blend"], facts["nested"], apart, facts["refused"])


@dataclass(frozen=True)
class Chosen(Around):
    """What Auto took.

    Attributes:
        blended: the chosen blend, learnt on all rows.
        choice: its class, with the settings that are not its defaults.
        reason: why it was taken, in a sentence.
        trials: one a choice.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
    """

    blended: Blended
    choice: str
    reason: str
    trials: tuple[Trial, ...]
    thresholds: tuple[float, ...] = ()

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        return self.blended.join_inside(predictions, columns)

    def story(self) -> dict[str, Any]:
        return {"choice": self.choice, "reason": self.reason, "choices": [trial.facts() for trial in self.trials]}

    def facts(self) -> dict[str, Any]:
        return {"blend": named(self.blended), **self.story(), "thresholds": list(self.thresholds)}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        trials = tuple(map(Trial.of, facts["choices"]))
        inner, cuts = revived(facts["blend"]), tuple(facts["thresholds"])
        return cls(inner, facts["choice"], facts["reason"], trials, cuts)


def _parts(judged: Judged) -> np.ndarray:
    """The fold of each row; parts drawn at random where all rows come from one fold, or none was named."""
    if judged.plan is not None and len(np.unique(judged.plan)) > 1:
        return judged.plan
    alone = np.arange(len(judged.y))
    codes = np.unique(alone if judged.groups is None else judged.groups, return_inverse=True)[1]
    n = int(codes.max()) + 1  # groups are not parted
    return np.asarray((np.random.default_rng(0).permutation(n) % min(PARTS, n))[codes])


def spelled(specs: Sequence[Spec]) -> list[str]:
    """Blends, and what they are made of, as settings: their class, and what differs from its defaults."""
    names = []
    for spec in specs:
        told = {name: getattr(spec, name) for name, info in type(spec).model_fields.items()
                if getattr(spec, name) != info.default}  # fmt: skip
        inside = ", ".join(f"{name}={_spelled(value)}" for name, value in told.items())
        names.append(type(spec).__name__ + (f"({inside})" if inside else ""))
    return names


def _spelled(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_spelled, value))}{',' if len(value) == 1 else ''})"
    return spelled((value,))[0] if isinstance(value, Spec) else repr(value)


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

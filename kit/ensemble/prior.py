"""Prior shift: probabilities brought to the share of yeses, or of classes, that the test set has."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.ensemble.base import Around, Blend, Blended, Judged, revived
from kit.ensemble.greedy import Greedy
from kit.ensemble.stack import kind_of
from kit.spec import KitError, Spec, validator

STEPS, ENOUGH = 2000, 1e-9  # of the estimate: steps at most, and a change of shares that is none


class PriorShift(Blend):
    """Corrects a blend's probabilities where classes are more or less frequent than among the learnt rows.

    Rows of one class are taken to look the same in both sets (label shift). Then the odds of a class change by the
    ratio of its shares (Saerens, Latinne & Decaestecker, "Adjusting the outputs of a classifier to new a priori
    probabilities", 2002). The blend must give calibrated probabilities: `PriorShift(blend=Calibrated(…))`.

    Given shares are a fact about the test set alone. So they act on the test set alone, `Blended.for_test`; the nested
    score and the out-of-fold blend, whose rows have the shares that were learnt, stay as they would be without. What
    the correction gives is thus in no score of ours: only the site's can tell.

    Without given shares they are estimated by the paper's expectation maximisation, from whatever rows are blended in
    one go and without their labels: the test set's from the test set, a judged fold's from that fold. There the truth
    is about what was learnt, so a nested score below that of `blend` alone is what the estimate costs where nothing
    has shifted; far below, the blend is not calibrated. The correction keeps the order within a column of labels.
    """

    compact: ClassVar[bool] = True

    blend: Blend = Field(Greedy(), description="gives the probabilities")
    test_share: tuple[float, ...] | None = Field(
        None, description="share of yeses of each target, or of each class, in the test set; none: estimated"
    )

    @validator(mode="after")
    def _shares_are_shares(self) -> "PriorShift":
        if self.test_share is not None and not all(0 < share < 1 for share in self.test_share):
            raise ValueError(f"test_share {', '.join(map(str, self.test_share))}: shares lie between 0 and 1")
        outermost(self.blend, "PriorShift")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        return self.blend.needs

    @property
    def folds_needed(self) -> int:
        return self.blend.folds_needed

    @property
    def fickle(self) -> bool:
        return self.blend.fickle

    def learn(self, judged: Judged) -> Blended:
        kind, outputs = kind_of(judged), judged.predictions.shape[2]
        if kind == "values":
            raise KitError(f"PriorShift corrects probabilities, but {judged.metric.name} judges values")
        y, share = judged.y, self.test_share
        known = (y == np.arange(outputs)).mean(axis=0) if kind == "classes" else y.mean(axis=0)
        if share is not None:
            if len(share) != outputs:
                raise KitError(
                    f"PriorShift: test_share names {len(share)} shares, but predictions have {outputs} columns"
                )
            if kind == "classes" and abs(sum(share) - 1) > 1e-6:
                raise KitError(f"PriorShift: the shares of the classes sum to {sum(share):g}, not to 1")
        inner = self.blend.learn_inside(judged)
        said = inner.join_inside(judged.predictions, judged.columns)
        if said.min() < 0 or said.max() > 1:
            found = f"{type(self.blend).__name__} gives {said.min():g} to {said.max():g}"
            raise KitError(f"PriorShift corrects probabilities, but {found}")
        return PriorShifted(inner, kind == "classes", tuple(known.tolist()), share)


@dataclass(frozen=True)
class PriorShifted(Around):
    """What PriorShift comes to.

    Attributes:
        blended: gives the probabilities.
        classes: the columns are classes, whose shares sum to 1.
        known: (outputs,) shares among the learnt rows.
        test_share: (outputs,) given shares of the test set; None: estimated on the rows that are joined.
        shifts: `join` uses the given shares: only what `for_test` gives does.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
    """

    blended: Blended
    classes: bool
    known: tuple[float, ...]
    test_share: tuple[float, ...] | None = None
    shifts: bool = False
    thresholds: tuple[float, ...] = ()

    def for_test(self) -> Blended:
        return replace(self, shifts=self.test_share is not None)

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        p, known = self.blended.join_inside(predictions, columns), np.array(self.known)
        if self.test_share is None:
            share = estimated_share(p, known, self.classes)
        elif self.shifts:
            share = np.array(self.test_share)
        else:
            return p
        return shifted(p, known, share, self.classes)

    def facts(self) -> dict[str, Any]:
        return {
            "blend": named(self.blended),
            "classes": self.classes,
            "known": list(self.known),
            "test_share": None if self.test_share is None else list(self.test_share),
            "shifts": self.shifts,
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        share = None if facts["test_share"] is None else tuple(facts["test_share"])
        inner, known = revived(facts["blend"]), tuple(facts["known"])
        return cls(inner, facts["classes"], known, share, facts["shifts"], tuple(facts["thresholds"]))


def shifted(p: np.ndarray, known: np.ndarray, share: np.ndarray, classes: bool) -> np.ndarray:
    """Probabilities (n, outputs) for rows whose classes have `share` instead of the `known` shares.

    Args:
        p: (n, outputs) probabilities; of classes, rows sum to 1.
        known: (outputs,) shares where `p` was learnt; a column of 0 or 1, that has shown no change of label, stays.
        share: (outputs,) shares among these rows.
        classes: columns are classes; else each is a label of its own.
    """
    able = (known > 0) & (known < 1)
    held = np.where(able, known, 0.5)  # only divides
    yes = p * np.where(able, share / held, 1)
    rest = yes.sum(axis=1, keepdims=True) if classes else yes + (1 - p) * np.where(able, (1 - share) / (1 - held), 1)
    return np.asarray(yes / np.where(rest > 0, rest, 1))


def estimated_share(p: np.ndarray, known: np.ndarray, classes: bool) -> np.ndarray:
    """Shares (outputs,) among rows with probabilities `p`, by expectation maximisation; arguments as in `shifted`."""
    share = known
    for _ in range(STEPS):
        before, share = share, shifted(p, known, share, classes).mean(axis=0)
        if np.abs(share - before).max() < ENOUGH:
            break
    return share


def named(blended: Blended) -> dict[str, Any]:
    """The facts of a blend with its kind, as `revived` reads them."""
    return {"kind": type(blended).__name__, **blended.facts()}


def outermost(spec: Spec, where: str) -> None:
    """Refuses a PriorShift inside another blend: what is learnt of its output would be learnt before the shift."""
    if isinstance(spec, PriorShift):
        raise ValueError(f"PriorShift stands outermost, PriorShift(blend={where}(…)), not inside {where}")


def steady(spec: Blend, where: str) -> None:
    """Refuses a blend that may be of another kind in another fold: what learns from it would mix its scales."""
    if spec.fickle:
        raise ValueError(
            f"Auto stands outside {where}, Auto(choices=({where}(…), …)), not inside it: it may take another blend in "
            "each fold, and predictions of several scales would be joined as if they were of one"
        )

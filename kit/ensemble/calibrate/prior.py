"""PriorShift: corrects probabilities for the class shares of the test set."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.ensemble.blend import Blend
from kit.ensemble.blends.greedy import Greedy
from kit.ensemble.fitted import FittedBlend, FittedWrapper, restored, with_kind
from kit.ensemble.oof import OutOfFold
from kit.ensemble.target import target_kind
from kit.ensemble.wrapper import BlendWrapper

STEPS, ENOUGH = 2000, 1e-9  # of the estimate: largest number of steps; a change of shares that ends it


class PriorShift(BlendWrapper):
    """Corrects a blend's probabilities if classes are more or less frequent in the test set than in the learnt rows.

    It assumes that rows of one class look the same in both sets (label shift). Then the odds of a class change by the
    ratio of its shares (Saerens, Latinne & Decaestecker, "Adjusting the outputs of a classifier to new a priori
    probabilities", 2002). The blend must give calibrated probabilities: `PriorShift(blend=Calibrated(…))`.

    Given shares are those of the test set. So only test predictions are corrected (`FittedBlend.for_test`); the nested
    score and the out-of-fold blend do not change, because their rows have the learnt shares. So no score shows the gain
    of the correction, except on the leaderboard.

    If no shares are given, they are estimated by the paper's expectation maximisation from the blended rows, without
    their labels: those of the test set from the test set, those of a fold from that fold. A fold has about the learnt
    shares. So the nested score shows what the estimate costs, compared with `blend` alone, if nothing has shifted; if
    it costs much, the blend is not calibrated. Within a column of labels, the correction keeps the order.
    """

    outermost: ClassVar[bool] = True  # what learns from its output would learn before the shift

    blend: Blend = Field(Greedy(), description="the blend that is corrected")
    test_share: tuple[float, ...] | None = Field(
        None, description="share of positives of each target, or of each class, in the test set; none: estimated"
    )

    @validator(mode="after")
    def _shares_are_shares(self) -> "PriorShift":
        if self.test_share is not None and not all(0 < share < 1 for share in self.test_share):
            raise ValueError(f"test_share {', '.join(map(str, self.test_share))}: shares lie between 0 and 1")
        return self

    @property
    def fixed_kind(self) -> tuple[Blend, ...]:
        return ()

    def learn(self, oof: OutOfFold) -> "FittedPriorShift":
        kind, outputs = target_kind(oof), oof.outputs
        if kind == "values":
            raise KitError(f"PriorShift corrects probabilities, but {oof.metric.name} scores values")
        share, known = self.test_share, np.nanmean(oof.targets, axis=0)
        if share is not None:
            if len(share) != outputs:
                raise KitError(
                    f"PriorShift: test_share names {len(share)} shares, but predictions have {outputs} columns"
                )
            if kind == "classes" and abs(sum(share) - 1) > 1e-6:
                raise KitError(f"PriorShift: the shares of the classes sum to {sum(share):g}, not to 1")
        inner = self.blend.fit_oof(oof)
        p = inner.predict_checked(oof.predictions, oof.columns)
        if p.min() < 0 or p.max() > 1:
            found = f"{type(self.blend).__name__} gives {p.min():g} to {p.max():g}"
            raise KitError(f"PriorShift corrects probabilities, but {found}")
        return FittedPriorShift(inner, kind == "classes", tuple(known.tolist()), share)


@dataclass(frozen=True)
class FittedPriorShift(FittedWrapper):
    """A fitted PriorShift.

    Attributes:
        inner: the fitted blend whose probabilities are corrected.
        classes: whether the columns are classes, whose shares sum to 1.
        known: (outputs,) shares among the learnt rows.
        test_share: (outputs,) given shares of the test set; None: they are estimated from the blended rows.
        shifts: whether `combine` uses the given shares; true only for the result of `for_test`.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
    """

    inner: FittedBlend
    classes: bool
    known: tuple[float, ...]
    test_share: tuple[float, ...] | None = None
    shifts: bool = False
    thresholds: tuple[float, ...] = ()

    def for_test(self) -> FittedBlend:
        return replace(self, shifts=self.test_share is not None)

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        p, known = self.inner.predict_checked(predictions, columns), np.array(self.known)
        if self.test_share is None:
            share = estimated_share(p, known, self.classes)
        elif self.shifts:
            share = np.array(self.test_share)
        else:
            return p
        return shifted(p, known, share, self.classes)

    def to_dict(self) -> dict[str, Any]:
        return {
            "blend": with_kind(self.inner),
            "classes": self.classes,
            "known": list(self.known),
            "test_share": None if self.test_share is None else list(self.test_share),
            "shifts": self.shifts,
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        share = None if saved["test_share"] is None else tuple(saved["test_share"])
        inner, known = restored(saved["blend"]), tuple(saved["known"])
        return cls(inner, saved["classes"], known, share, saved["shifts"], tuple(saved["thresholds"]))


def shifted(p: np.ndarray, known: np.ndarray, share: np.ndarray, classes: bool) -> np.ndarray:
    """Probabilities (n, outputs) for rows whose classes have `share` instead of the `known` shares.

    Args:
        p: (n, outputs) probabilities; for classes, each row sums to 1.
        known: (outputs,) shares in the rows from which `p` was learnt; a column with share 0 or 1 is not changed.
        share: (outputs,) shares among these rows.
        classes: whether columns are classes; else each is a label of its own.
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

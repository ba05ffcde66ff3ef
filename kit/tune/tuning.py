"""The settings of a search, and its result."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import Spec, validator
from kit.recipe import Recipe
from kit.run.execute import check_executor
from kit.tune.defaults import UNKNOWN
from kit.tune.knobs import Knob, knobs_of
from kit.tune.rescore import Rescored
from kit.tune.storage import address
from kit.tune.unseen import Unseen


class Tuning(Spec):
    """Settings of a search for the best settings of one member."""

    member: str = Field(description="the member whose settings are searched")
    trials: int = Field(50, ge=1, description="number of trials, with those of an interrupted search")
    hours: float | None = Field(None, gt=0, description="no new fit begins after this time; none: no limit")
    folds: tuple[int, ...] = Field((), description="folds that trials are scored on; none: all")
    workers: int | None = Field(
        None, ge=1, description="trials at the same time; none: the number in `on`, or else one"
    )
    on: str = Field("inline", description="inline, processes:N, ray or ray:ADDRESS")
    storage: str = Field(
        "", repr=False, description="postgresql://user@host/name or sqlite:///file; none: in the run folder"
    )
    pruner: Literal["median", "wilcoxon", "none"] = Field("median", description="rule that stops bad trials early")
    rescore: int = Field(2, ge=0, description="times that the winner is scored again, on other folds and seeds")
    holdout: float = Field(0.0, description="share of rows that no trial sees, to score the winner; 0: none")

    @validator(mode="after")
    def _holdout_is_a_share(self) -> "Tuning":
        if self.holdout and not 0.05 <= self.holdout <= 0.5:
            raise ValueError(f"holdout = {self.holdout:g}: give 0, or a share of the rows between 0.05 and 0.5")
        return self

    def check(self, recipe: Recipe, rows: int = UNKNOWN) -> tuple[list[Knob], list[str]]:
        """The knobs, and notes about them to show. Finds bad input as far as that is possible before rows are read.

        Args:
            recipe: the recipe of the member.
            rows: number of train rows; default ranges depend on it.

        Raises:
            KitError: the member, executor or storage does not exist, there is nothing to tune, or a setting refuses its
                space.
        """
        self.executor  # noqa: B018 (refuses)
        address(self.storage, Path())
        return knobs_of(recipe, self.member, rows)

    @property
    def executor(self) -> tuple[str, int]:
        """The executor of the workers, and how many workers there are."""
        check_executor(self.on)
        kind, _, rest = self.on.partition(":")
        if kind == "ray":
            return self.on, self.workers or os.cpu_count() or 1
        named = (int(rest) if rest else os.cpu_count() or 1) if kind == "processes" else None
        if named and self.workers and named != self.workers:
            raise KitError(f"workers={self.workers} and on={self.on} disagree; give one of them")
        count = named or self.workers or 1
        return (f"processes:{count}", count) if count > 1 else ("inline", 1)


@dataclass(frozen=True)
class Tuned:
    """What a search has found.

    Attributes:
        member: name of the member.
        metric: name of the metric.
        greater_is_better: whether a greater score is better.
        folds: folds that trials were scored on.
        trials: results of all trials that have ended, by number; see `kit.tune.results`.
        best: the best trial; None if none could be scored.
        own: the trial of the recipe's own settings; None if they could not be scored.
        settings: override strings of the best trial.
        rescored: scores of winner and own settings on other folds and seeds of the same rows; None: not scored again.
        folder: folder of all files that the search has written.
        unseen: scores of both on the held-out rows; None if no rows were held out, or if the own settings are best.
        preset: override strings of preset=tuned for this member now: `settings`, or better ones of an earlier search.
        notes: sentences about things that could not be done.
    """

    member: str
    metric: str
    greater_is_better: bool
    folds: tuple[int, ...]
    trials: list[dict[str, Any]]
    best: dict[str, Any] | None
    own: dict[str, Any] | None
    settings: list[str]
    rescored: Rescored | None
    folder: Path
    unseen: Unseen | None = None
    preset: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def gain(self) -> float:
        """How much better the best trial is than the recipe's own settings, on the folds that chose it."""
        if self.best is None or self.own is None:
            return float("nan")
        return (1 if self.greater_is_better else -1) * (self.best["score"] - self.own["score"])

"""What a search is told, and what it comes to."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kit.execute import check_executor
from kit.recipe import Recipe
from kit.spec import KitError, Spec, validator
from kit.tune.knobs import Knob, knobs_of
from kit.tune.rescore import Rescored
from kit.tune.study import address
from kit.tune.unseen import Unseen


class Tuning(Spec):
    """How one member is searched."""

    member: str = Field(description="the member whose settings are searched")
    trials: int = Field(50, ge=1, description="trials in all, those of an interrupted search counted")
    hours: float | None = Field(None, gt=0, description="nothing new begins after this long; none: no limit")
    folds: tuple[int, ...] = Field((), description="folds that judge; none: all")
    workers: int | None = Field(None, ge=1, description="trials at once; none: as `on` says, else one")
    on: str = Field("inline", description="inline, processes:N, ray or ray:ADDRESS")
    storage: str = Field("", description="postgresql://user@host/name or sqlite:///file; none: in the run folder")
    pruner: Literal["median", "wilcoxon", "none"] = Field("median", description="when a trial is given up")
    rescore: int = Field(2, ge=0, description="other fold plans and seeds that the winner is scored on again")
    holdout: float = Field(0.0, description="share of the rows that no trial sees and the winner is judged on; 0: none")

    @validator(mode="after")
    def _holdout_is_a_share(self) -> "Tuning":
        if self.holdout and not 0.05 <= self.holdout <= 0.5:
            raise ValueError(f"holdout = {self.holdout:g}: give 0, or a share of the rows between 0.05 and 0.5")
        return self

    def check(self, recipe: Recipe) -> tuple[list[Knob], list[str]]:
        """The knobs and what is to be said of them; refuses what can be refused before rows are read.

        Raises:
            KitError: unknown member, nothing to tune, a space that a field refuses, no such executor or storage.
        """
        self.executor  # noqa: B018 (refuses)
        address(self.storage, Path())
        return knobs_of(recipe, self.member)

    @property
    def executor(self) -> tuple[str, int]:
        """Where workers run, and how many."""
        check_executor(self.on)
        kind, _, rest = self.on.partition(":")
        if kind == "ray":
            return self.on, self.workers or os.cpu_count() or 1
        told = (int(rest) if rest else os.cpu_count() or 1) if kind == "processes" else None
        if told and self.workers and told != self.workers:
            raise KitError(f"workers={self.workers} and on={self.on} disagree; give one of them")
        count = told or self.workers or 1
        return (f"processes:{count}", count) if count > 1 else ("inline", 1)


@dataclass(frozen=True)
class Tuned:
    """What a search has found.

    Attributes:
        member: what was searched.
        metric: name of what judged.
        greater_is_better: how its value is read.
        folds: those that judged.
        trials: facts of every trial that has ended, by number; see `kit.tune.facts`.
        best: facts of the best one, None where none could be judged.
        own: facts of the recipe's own settings, None where they could not be judged.
        settings: override strings of the preset.
        rescored: winner and own settings on other folds and seeds of the same rows; None: nothing was scored again.
        folder: where all of it lies.
        unseen: both on the rows that were held out; None where none were, or nothing beats the own settings.
        preset: override strings that preset=tuned has for this member now: `settings`, or better ones found before.
        notes: sentences about what could not be done.
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
        """By how much the best trial beats the recipe's own settings on the folds that chose it; positive: better."""
        if self.best is None or self.own is None:
            return float("nan")
        return (1 if self.greater_is_better else -1) * (self.best["score"] - self.own["score"])

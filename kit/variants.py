"""Variants: a member with settings of its own on rows and folds that it shares with others, fitted through the bank."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kit.bank import Fold
from kit.blending import out_of_fold
from kit.execute import check_executor, execute
from kit.files import read_json, write_json
from kit.members.wrap import reseeding
from kit.memory import begin_peak, peak_memory
from kit.recipe import Recipe
from kit.run import Brief, Job, Outcome, Run, opened, why
from kit.spec import KitError
from kit.threads import threads, use_threads


@dataclass(frozen=True)
class Variant:
    """A member as a run of its own.

    Attributes:
        run: with the variant's settings; table and folder are shared.
        member: its name in the recipe.
        brief: names from which another process opens the same run.
        label: what people call it.
    """

    run: Run
    member: str
    brief: Brief | None = None
    label: str = ""

    @cached_property
    def shelf(self) -> str:
        """Name of the folder that its folds lie in."""
        return self.run.shelf(self.member).folder.name

    @property
    def chance(self) -> bool:
        """Whether another seed is another fit."""
        return self.run.recipe.members[self.member].chance

    def kept(self, fold: int) -> Fold | None:
        """A finished fold; None where it is not finished."""
        return self.run.shelf(self.member).read(fold)

    def cost(self, fold: int) -> dict[str, float]:
        """Seconds that fitting and predicting a finished fold took, and the most MiB it held, where that is known."""
        kept = self.kept(fold)
        found = {"seconds": sum(kept.score["seconds"].values())} if kept else {}
        path = self._cost_file(fold)
        return found | (read_json(path) if path.exists() else {})

    def _cost_file(self, fold: int) -> Any:
        return self.run.shelf(self.member).folder / f"fold{fold}" / "cost.json"

    def predictions(self, folds: Sequence[int]) -> np.ndarray:
        """(n, outputs) out-of-fold predictions of these finished folds, NaN elsewhere."""
        found = {f: kept for f in folds if (kept := self.kept(f)) is not None}
        return out_of_fold(self.run, found)


class Fit(NamedTuple):
    """One fold of a variant."""

    variant: Variant
    fold: int


Told = Callable[[Fit, Outcome], None]


def vary(
    run: Run, brief: Brief | None, member: str, settings: Iterable[str] = (), seed: int = 0, fewer: int | None = None
) -> Variant:
    """A member of `run` with settings over those that it has.

    Args:
        settings: overrides as in `set=`, of this member alone.
        seed: added to the member's own and to those of the members that it is made of.
        fewer: train rows of each fold, see `Run`.

    Raises:
        KitError: the recipe has no such member, or refuses a setting, or a setting changes something else.
    """
    run.recipe.chosen(member)
    recipe = run.recipe.override(*settings)
    if foreign := [path for path in recipe.diff(run.recipe) if path != member and not path.startswith(f"{member}.")]:
        raise KitError(f"setting '{' '.join(settings)}' changes '{foreign[0]}'; only '{member}' is varied here")
    return revised(run, brief, member, [*settings, *reseeding(member, recipe.members[member], seed)], fewer)


def revised(run: Run, brief: Brief | None, member: str, settings: Sequence[str], fewer: int | None = None) -> Variant:
    """A member of a run with these settings, which may also be the folds'."""
    recipe: Recipe = run.recipe.override(*settings)
    other = replace(brief, settings=(*brief.settings, *settings), fewer=fewer) if brief else None
    return Variant(Run(recipe, run.table, run.root, fewer), member, other)


def fit_all(fits: Sequence[Fit], on: str = "inline", told: Told = lambda fit, outcome: None) -> dict[Fit, str]:
    """Fits what the bank lacks, several variants at once where the executor does several jobs at once.

    Beside each fold that is fitted here lies `cost.json`: the most memory that its fit held.

    Returns:
        What went wrong with those that have not ended well, in a sentence each.

    Raises:
        KitError: the executor cannot be had.
    """
    check_executor(on)
    missing, faults = [], {}
    prepared: dict[str, str] = {}
    for fit in fits:
        run, name = fit.variant.run, fit.variant.member
        if on != "inline" and fit.variant.brief is None:
            raise KitError(f"on={on} opens the run in other processes and needs a recipe that they can import")
        if run.shelf(name).read(fit.fold) is not None:
            told(fit, "kept")
            continue
        if fit.variant.shelf not in prepared:
            prepared[fit.variant.shelf] = _prepared(run, name)
        if prepared[fit.variant.shelf]:
            faults[fit] = prepared[fit.variant.shelf]
            told(fit, "failed")
        else:
            run.keep_plan()
            missing.append(fit)
    briefs = [fit.variant.brief for fit in missing]
    use_threads(briefs[0].threads if briefs and briefs[0] else threads())
    jobs: dict[Any, Fit] = {(job if on != "inline" else fit): fit for fit in missing for job in [_job(fit)]}
    with closing(execute(list(jobs), _inline if on == "inline" else costed, on)) as ended:
        for job, outcome in ended:
            fit = jobs[job]
            if outcome not in ("done", "kept"):
                faults[fit] = _why(fit, outcome)
            told(fit, "failed" if isinstance(outcome, BaseException) else outcome)
    return faults


def insist(faults: dict[Fit, str]) -> None:
    """Ends with the first of these faults, if there are any."""
    for fit, fault in faults.items():
        raise KitError(f"{fit.variant.shelf} fold {fit.fold}: {fault}; what is finished is kept")


def _job(fit: Fit) -> Job | None:
    return Job(fit.variant.brief, fit.variant.member, fit.fold) if fit.variant.brief else None


def _inline(fit: Fit) -> Outcome:
    before = begin_peak()
    outcome = fit.variant.run.fit(fit.variant.member, fit.fold)
    if outcome == "done" and (peak := peak_memory(before)) is not None:
        write_json(fit.variant._cost_file(fit.fold), {"mib": round(peak, 1)})
    return outcome


def costed(job: Job) -> Outcome:
    """Does one job, in whatever process it finds itself, and notes the most memory it held."""
    use_threads(job.brief.threads)
    run = opened(job.brief)
    run.table.source  # noqa: B018 (the rows are not the fit's own memory)
    return _inline(Fit(Variant(run, job.member, job.brief), job.fold))


def _prepared(run: Run, name: str) -> str:
    try:
        run.recipe.members[name].prepare(run.table.test_rows)
    except Exception as error:
        return why(error).strip().splitlines()[-1]
    return ""


def _why(fit: Fit, outcome: Any) -> str:
    if isinstance(outcome, BaseException):
        return why(outcome).strip().splitlines()[-1]
    if outcome == "busy":
        return "another process is at work on it"
    path = fit.variant.run.shelf(fit.variant.member).part(fit.fold) / "error.txt"
    return path.read_text(encoding="utf-8").strip().splitlines()[-1] if path.exists() else "it failed"

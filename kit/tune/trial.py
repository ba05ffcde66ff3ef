"""One trial: draws settings, fits one fold after another, and stops as soon as the pruner says so."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.core.errors import KitError
from kit.core.machine import MachineFault, machine_fault
from kit.run.fold import fit_fold
from kit.run.outcome import Outcome, failed
from kit.run.run import Run
from kit.train.stop import TrainingStopped
from kit.tune.scores import scores
from kit.tune.study import Search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

STEPS = 10_000  # Optuna's steps for each fold: one for each scored epoch, the last one for the whole fold
SHORTAGES = 3  # a trial that ran out of memory this often is refused: its settings may need too much
WAIT = 0.5  # seconds between two checks of a fold that another process is fitting


class Pruned(Exception):
    """The pruner stopped the trial."""


class Refused(KitError):
    """The trial has no score; the sentence says why."""


class TimeUp(Exception):
    """The time of the search is up; the next call continues the trial."""


def settings_of(trial: "Trial", search: Search) -> list[str]:
    """The trial's override strings, drawn now or earlier; none for the recipe's own settings."""
    texts = [f"{knob.name}={knob.space.suggest(trial, knob.name)}" for knob in search.knobs]
    return [] if trial.user_attrs.get("own") else texts


def carry_out(run: Run, search: Search, study: "Study", trial: "Trial") -> None:
    """Scores a trial and reports it to the study. The trial stays unfinished if time is up or the process is killed."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    made: dict[str, Any] = dict(trial.user_attrs.get("made", {}))
    made["settings"] = settings_of(trial, search)
    try:
        tried = _overridden(run, made["settings"])
        made["differs"] = [text for text in made["settings"] if run.recipe.override(text) != run.recipe]
        made["store"] = tried.store(search.member).folder.name
        trial.set_user_attr("made", made)
        each, pooled = _fit(tried, search, trial)
        if np.isnan(pooled):
            raise Refused(f"{run.table.task.metric.name} cannot score these folds")
    except (TimeUp, UpdateFinishedTrialError):  # the latter: another machine took the trial while this one slept
        return
    except Refused as why:
        trial.set_user_attr("made", made)
        trial.set_user_attr("why", str(why))
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    except Pruned:
        trial.set_user_attr("made", made | _cost(tried, search))
        study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
    else:
        # write `made` first, so that a complete trial never lacks it
        trial.set_user_attr("made", made | _cost(tried, search) | {"folds": {str(f): s for f, s in each.items()}})
        study.tell(trial, pooled, skip_if_finished=True)


def _overridden(run: Run, overrides: list[str]) -> Run:
    try:
        return run.with_settings(*overrides)
    except KitError as error:
        raise Refused(str(error)) from None


def _fit(tried: Run, search: Search, trial: "Trial") -> tuple[dict[int, float], float]:
    try:
        tried.recipe.members[search.member].prepare(tried.table.test_rows)
    except Exception as error:
        if (fault := machine_fault(error)) is not None:  # the trial stays unfinished: the next call continues it
            raise fault from error
        _try_again_after(trial, failed(error))
        raise Refused(f"{type(error).__name__}: {error}") from error
    for index, fold in enumerate(search.folds):
        try:
            _fitted(tried, search, fold, _Epochs(tried, search, trial, index))
        except TrainingStopped:
            for left in tried.store(search.member).part(fold).rglob("last.pt"):
                left.unlink()  # large, and not needed any more
            raise Pruned from None
        done = search.folds[: index + 1]
        each, pooled = scores(tried, search.member, done)
        value = each[fold] if search.pruner == "wilcoxon" else float(np.nanmean([*each.values()] or np.nan))
        if np.isnan(value):
            continue
        trial.report(value, (index + 1) * STEPS - 1)
        if len(done) < len(search.folds) and trial.should_prune():
            raise Pruned
    return each, pooled


def _fitted(tried: Run, search: Search, fold: int, should_stop: "_Epochs") -> None:
    """Fits a fold, or waits for the process that is fitting it."""
    while True:
        if search.over:
            raise TimeUp
        outcome = fit_fold(tried, search.member, fold, should_stop)
        if outcome.finished:
            return
        if outcome.state == "failed":
            _try_again_after(should_stop.trial, outcome)
            path = tried.store(search.member).part(fold) / "error.txt"
            raise Refused(f"fold {fold} failed: {outcome.sentence} (all of it in {path})")
        time.sleep(WAIT)


def _try_again_after(trial: "Trial", outcome: Outcome) -> None:
    """Leaves the trial unfinished when memory ran out, so that the next call continues it; at most twice.

    Raises:
        MachineFault: the trial stays unfinished.
    """
    if outcome.shortage:
        times = trial.user_attrs.get("shortages", 0) + 1
        trial.set_user_attr("shortages", times)
        if times < SHORTAGES:
            raise MachineFault(f"trial {trial.number}: {outcome.sentence}; the trial is not lost: it will be run again")


class _Epochs:
    """Reports the scored epochs of one fold to the study, and stops the fold if the pruner says so."""

    def __init__(self, tried: Run, search: Search, trial: "Trial", index: int) -> None:
        self.trial, self.first = trial, index * STEPS
        self.sign = 1 if tried.table.task.metric.greater_is_better else -1
        self.reports = search.pruner == "median"  # Wilcoxon's test pairs folds and would take epochs for some
        self.last = 0

    def __call__(self, epoch: int, score: float) -> bool:
        if not self.reports or epoch <= self.last or epoch >= STEPS - 1:
            return False  # a member made of members trains several times; the first of them counts
        self.last = epoch
        self.trial.report(self.sign * score, self.first + epoch)
        return self.trial.should_prune()


def _cost(tried: Run, search: Search) -> dict[str, float]:
    """Seconds of the trial's finished folds, also of those that were fitted earlier."""
    found = [kept.score["seconds"] for fold in search.folds if (kept := tried.store(search.member).read(fold))]
    return {"seconds": round(sum(sum(seconds.values()) for seconds in found), 3), "fitted": len(found)}

"""One trial: settings drawn, folds fitted one after another, given up as soon as it is hopeless."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.run import Run
from kit.spec import KitError
from kit.train.watch import Halt, listening
from kit.tune.judging import scores
from kit.tune.study import Search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

STEPS = 10_000  # steps of a fold on Optuna's axis: its judged epochs, and its end as the last one
WAIT = 0.5  # seconds between two looks at a fold that another process works on


class Hopeless(Exception):
    """The pruner gave the trial up."""


class Refused(Exception):
    """The trial cannot be judged; the sentence says why."""


class TimeUp(Exception):
    """The time of the search is over; the trial is gone on with another time."""


def settings_of(trial: "Trial", search: Search) -> list[str]:
    """The trial's override strings, drawn now or before; none where it tries the recipe's own settings."""
    texts = [f"{knob.name}={knob.space.suggest(trial, knob.name)}" for knob in search.knobs]
    return [] if trial.user_attrs.get("own") else texts


def with_settings(run: Run, settings: list[str]) -> Run:
    """The same rows and folder under further settings."""
    return run.under(run.recipe.override(*settings))


def carry_out(run: Run, search: Search, study: "Study", trial: "Trial") -> None:
    """Judges a trial and tells the study; what is left when the time is up, or a process dies, stays under way."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    made: dict[str, Any] = dict(trial.user_attrs.get("made", {}))
    made["settings"] = settings_of(trial, search)
    try:
        tried = _opened(run, made["settings"])
        made["differs"] = [text for text in made["settings"] if run.recipe.override(text) != run.recipe]
        made["shelf"] = tried.shelf(search.member).folder.name
        trial.set_user_attr("made", made)
        each, pooled = _fit(tried, search, trial)
        if np.isnan(pooled):
            raise Refused(f"{run.table.task.metric.name} cannot judge these folds")
    except (TimeUp, UpdateFinishedTrialError):  # the other: this machine slept, and another one has taken the trial
        return
    except Refused as why:
        trial.set_user_attr("made", made)
        trial.set_user_attr("why", str(why))
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    except Hopeless:
        trial.set_user_attr("made", made | _cost(tried, search))
        study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
    else:
        # `made` goes first: a trial that is complete has all that is to be known of it
        trial.set_user_attr("made", made | _cost(tried, search) | {"folds": {str(f): s for f, s in each.items()}})
        study.tell(trial, pooled, skip_if_finished=True)


def _opened(run: Run, settings: list[str]) -> Run:
    try:
        return with_settings(run, settings)
    except KitError as error:
        raise Refused(str(error)) from None


def _fit(tried: Run, search: Search, trial: "Trial") -> tuple[dict[int, float], float]:
    try:
        tried.recipe.members[search.member].prepare(tried.table.test_rows)
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {error}") from error
    for index, fold in enumerate(search.folds):
        try:
            with listening(_Epochs(tried, search, trial, index)):
                _fitted(tried, search, fold)
        except Halt:
            for left in tried.shelf(search.member).part(fold).rglob("last.pt"):
                left.unlink()  # large, and nobody goes on from it
            raise Hopeless from None
        done = search.folds[: index + 1]
        each, pooled = scores(tried, search.member, done)
        value = each[fold] if search.pruner == "wilcoxon" else float(np.nanmean([*each.values()] or np.nan))
        if np.isnan(value):
            continue
        trial.report(value, (index + 1) * STEPS - 1)
        if len(done) < len(search.folds) and trial.should_prune():
            raise Hopeless
    return each, pooled


def _fitted(tried: Run, search: Search, fold: int) -> None:
    """Fits a fold, or waits for the process that does."""
    while True:
        if search.over:
            raise TimeUp
        outcome = tried.fit(search.member, fold)
        if outcome in ("done", "kept"):
            return
        if outcome == "failed":
            path = tried.shelf(search.member).part(fold) / "error.txt"
            said = path.read_text(encoding="utf-8").strip().splitlines()[-1]
            raise Refused(f"fold {fold} failed: {said} (all of it in {path})")
        time.sleep(WAIT)


class _Epochs:
    """Tells the study the epochs of one fold that the member itself judges, and halts the fold if they are hopeless."""

    def __init__(self, tried: Run, search: Search, trial: "Trial", index: int) -> None:
        self.trial, self.first = trial, index * STEPS
        self.sign = 1 if tried.table.task.metric.greater_is_better else -1
        self.ask = search.pruner == "median"  # Wilcoxon's test pairs folds and would take epochs for some
        self.heard = 0

    def __call__(self, epoch: int, score: float) -> None:
        if not self.ask or epoch <= self.heard or epoch >= STEPS - 1:
            return  # a member made of members trains several times; the first of them is heard
        self.heard = epoch
        self.trial.report(self.sign * score, self.first + epoch)
        if self.trial.should_prune():
            raise Halt


def _cost(tried: Run, search: Search) -> dict[str, float]:
    """Seconds that the trial's finished folds took, whenever they were fitted."""
    found = [kept.score["seconds"] for fold in search.folds if (kept := tried.shelf(search.member).read(fold))]
    return {"seconds": round(sum(sum(seconds.values()) for seconds in found), 3), "fitted": len(found)}

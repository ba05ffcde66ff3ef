"""`tune`: searches settings of one member and writes the result into the run folder."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kit.core.errors import KitError, Unfinished
from kit.core.files import write_json
from kit.core.spec import digest
from kit.core.threads import use_threads
from kit.folds import plan_digest
from kit.run.check import check_members
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.tune.knobs import Knob
from kit.tune.listed import check_trials
from kit.tune.plots import draw, importances
from kit.tune.preset import keep, own_settings
from kit.tune.rescore import rescore
from kit.tune.results import TrialResult, best_of, result_of
from kit.tune.storage import address, opened_storage, quiet, reached
from kit.tune.study import Search, begun_study, is_lost
from kit.tune.trials import trials_file
from kit.tune.tuning import Tuned, Tuning
from kit.tune.unseen import unseen
from kit.tune.worker import Reporter, work, work_together

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

UNREADABLE = "cannot be read; restore it, or remove it and search again: what was fitted is in the bank"
VERSION = 1  # raise it when a change of code changes the scores
OnTrial = Callable[[TrialResult, TrialResult | None], None]  # an ended trial, and the best one


def tune(
    run: Run,
    tuning: Tuning,
    on_trial: OnTrial = lambda trial, best: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Tuned:
    """Runs `tuning.trials` trials, or until the time is up; then scores the winner on other folds.

    Writes `tune/<member>.db` (unless another storage is given), `tune/<member>/trials-<study>.json`, pictures, and the
    preset `tuned.json`. A search that was stopped can be continued: its trials are the same as without the stop. The
    folds of all trials are in the bank.

    Args:
        run: recipe, rows and run folder.
        tuning: settings of the search.
        on_trial: called with each trial that ends, and with the best trial so far.
        say: called with sentences to show.

    Raises:
        KitError: bad input (then nothing is written), or the recipe's own settings cannot be scored.
    """
    knobs, notes = tuning.check(run.recipe, len(run.table.train))
    check_members(run, [tuning.member])
    on, workers = tuning.executor
    run.check_can_travel(on)
    if tuning.holdout:
        run = run.with_holdout(tuning.holdout)
    folds, metric, member = tuple(run.chosen_folds(list(tuning.folds))), run.table.task.metric, tuning.member
    if tuning.pruner == "wilcoxon" and len(folds) < 4:
        raise KitError(
            "pruner=wilcoxon stops a trial after 3 folds at the earliest, so it needs at least 4 folds; there are "
            f"{len(folds)}"
        )
    shared = max(1, run.threads // workers)
    run = run.with_threads(shared)
    folder = run.root / "tune" / member
    search = Search(
        run, member, tuple(knobs), folds, tuning.trials, tuning.hours and time.time() + 3600 * tuning.hours,
        address(tuning.storage, folder.with_suffix(".db")), _name(run, tuning, knobs, folds), folder / "locks",
        run.recipe.members[member].seed, tuning.pruner,
    )  # fmt: skip
    if tuning.storage:
        opened_storage(search.storage)  # bad input is refused before the folder is made
    folder.mkdir(parents=True, exist_ok=True)
    for note in notes:
        say(note)
    run.keep_plan()
    with quiet(), reached(search.storage):
        storage = opened_storage(search.storage)
        with reached(search.storage, UNREADABLE, ValueError, LookupError, TypeError):
            study = begun_study(search, storage, metric.greater_is_better)
            ended = _results(study.get_trials(deepcopy=False))
        check_trials(ended, trials_file(run.root, member, study.study_name), search.storage)
        reporter = Reporter(study, lambda trial, ended: _report(trial, ended, search, on_trial), _ended(study))
        if reporter.known:
            say(f"{len(reporter.known)} trials ended before")
        if on == "inline":
            use_threads(shared)
            work(search, storage, reporter)
        else:
            _own_first(run, member, folds, on)
            work_together(search, workers, on, reporter)
        found = _found(study, run, tuning, folds)
        found = _pictured(study, found, search.seed)
    if found.best is None:
        _refuse_unscored(found)
        return found
    found, notes = _kept(run, found)
    if found.own and found.best and not found.best["own"]:
        settings, again, held = found.best["settings"], None, None
        if tuning.rescore:
            say(f"scoring trial {found.best['number']} and the recipe's own settings again on other folds")
            again = rescore(run, member, settings, folds, tuning.rescore, on, over=lambda: search.over)
            if len(again.winner if again else ()) < tuning.rescore:
                notes = [*notes, "time is up: scored again less often than requested; run again with more hours"]
        if tuning.holdout:
            held = unseen(run, member, settings, folds, on)
        found, _ = _kept(run, replace(found, rescored=again, unseen=held))
    return replace(found, notes=[*found.notes, *notes])


def _name(run: Run, tuning: Tuning, knobs: list[Knob], folds: tuple[int, ...]) -> str:
    """Name of the study: different for each set of things that its scores depend on."""
    member = tuning.member
    space = {knob.name: [knob.space.to_dict(), knob.own] for knob in knobs}
    identity = [VERSION, run.store(member).identity, space, folds, run.table.task.metric.identity(), tuning.pruner]
    return f"{run.table.task.name}-{member}-{digest(identity)[:8]}"


def _ended(study: "Study") -> set[int]:
    return {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}


def _own_first(run: Run, member: str, folds: tuple[int, ...], on: str) -> None:
    """Fits the recipe's own settings first, several folds at once. A member that cannot be fitted fails here."""
    for job, outcome in fit_jobs(jobs_of(run, [member], folds), on).items():
        if outcome.state == "failed":
            place = f"all of it in {job.store.part(job.fold) / 'error.txt'}"
            raise Unfinished(
                f"the recipe's own settings of {member} fail in fold {job.fold}: {outcome.sentence} ({place})"
            )


def _results(trials: "list[FrozenTrial]") -> list[TrialResult]:
    return [result_of(trial) for trial in trials if trial.state.is_finished() and not is_lost(trial)]


def _report(trial: "FrozenTrial", ended: "list[FrozenTrial]", search: Search, on_trial: OnTrial) -> None:
    results = _results(ended)
    _list(search.run, search.member, search.folds, search.study, results)
    if not is_lost(trial):
        on_trial(result_of(trial), best_of(results, search.run.table.task.metric))


def _list(run: Run, member: str, folds: tuple[int, ...], study: str, trials: list[TrialResult]) -> None:
    metric = run.table.task.metric
    listed = {
        "study": study, "metric": metric.name, "greater_is_better": metric.greater_is_better, "folds": folds,
        "holdout": run.holdout, "trials": trials,
    }  # fmt: skip
    write_json(trials_file(run.root, member, study), listed)


def _found(study: "Study", run: Run, tuning: Tuning, folds: tuple[int, ...]) -> Tuned:
    metric, member, trials = run.table.task.metric, tuning.member, _results(study.get_trials(deepcopy=False))
    _list(run, member, folds, study.study_name, trials)
    best = best_of(trials, metric)
    own = best_of([t for t in trials if t["own"]], metric)
    before = own_settings(run.recipe, run.opened.settings, member) if run.opened else []
    settings = [*before, *best["settings"]] if best else []
    folder = run.root / "tune" / member
    return Tuned(member, metric.name, metric.greater_is_better, folds, trials, best, own, settings, None, folder)


def _pictured(study: "Study", found: Tuned, seed: int) -> Tuned:
    if found.best is None:
        return found
    shares = importances(study, seed)
    draw(found.folder, found.trials, shares, found.metric, found.greater_is_better, found.member)
    few = [] if shares else ["too few different scores to know which knobs matter"]
    return replace(found, notes=[*found.notes, *few])


def _refuse_unscored(found: Tuned) -> None:
    """Raises an Unfinished if no trial could be scored."""
    refused = [trial for trial in found.trials if trial["why"]]
    if refused:
        raise Unfinished(
            f"no trial of {found.member} could be scored; trial {refused[0]['number']}: {refused[0]['why']}"
        )


def _kept(run: Run, found: Tuned) -> tuple[Tuned, list[str]]:
    """Writes the preset. Gives the result with the settings that the preset has now, and notes to show."""
    best, member = found.best, found.member
    assert best is not None
    made = run.recipe.override(*best["settings"]).members[member]
    scored_on = [plan_digest(run.plan), run.table.digest, found.folds, found.metric]
    entry = {
        "settings": found.settings, "trial": best["number"], "trials": len(found.trials), "metric": found.metric,
        "folds": list(found.folds), "score": best["score"], "own": found.own and found.own["score"],
        "rescored": found.rescored and found.rescored.to_dict(), "unseen": found.unseen and found.unseen.to_dict(),
        "rows": len(run.plan), "scored_on": digest(scored_on),
        "made": None if best["own"] else digest(made.identity()),
    }  # fmt: skip
    there, note = keep(run.root, member, entry, run.table.task.metric)
    return replace(found, preset=there["settings"]), note

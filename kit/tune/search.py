"""`tune`: searches one member's settings, and writes what it finds into the run folder."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kit.cv import fit_missing, todo
from kit.files import write_json
from kit.folds import plan_digest
from kit.run import Brief, Run
from kit.spec import KitError, digest
from kit.threads import threads, use_threads
from kit.tune.facts import Facts, best_of, facts_of
from kit.tune.knobs import Knob
from kit.tune.plots import draw, importances
from kit.tune.preset import keep, own_settings
from kit.tune.rescore import rescore
from kit.tune.study import Search, address, is_lost, opened_storage, opened_study, quiet
from kit.tune.trial import with_settings
from kit.tune.trials import trials_file
from kit.tune.tuning import Tuned, Tuning
from kit.tune.unseen import unseen
from kit.tune.worker import Teller, work, work_together

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

VERSION = 1  # of how trials are judged: raise it when the same settings get another score
Heard = Callable[[Facts, Facts | None], None]  # a trial that has ended, and the best so far


def tune(
    run: Run,
    tuning: Tuning,
    brief: Brief | None = None,
    heard: Heard = lambda trial, best: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Tuned:
    """Searches until there are `tuning.trials` trials or the time is up, then scores the winner elsewhere.

    Writes `tune/<member>.db` (unless another storage is given), `tune/<member>/trials-<study>.json`, pictures, and the
    preset `tuned.json`. A search that was stopped goes on where it was, with the same trials. Their folds lie in the
    bank.

    Args:
        run: recipe, rows and run folder.
        tuning: what is searched and how.
        brief: names from which workers open the same run; one worker does without.
        heard: told every trial as it ends, with the best so far.
        say: told sentences.

    Raises:
        KitError: bad input, before anything is written; or the recipe's own settings cannot be judged.
    """
    knobs, notes = tuning.check(run.recipe)
    on, workers = tuning.executor
    if on != "inline" and brief is None:
        raise KitError(f"on={on} opens the run in other processes and needs a recipe that they can import")
    if tuning.holdout:
        run = Run(run.recipe, run.table, run.root, run.fewer, tuning.holdout)
        brief = brief and replace(brief, holdout=tuning.holdout)
    folds, metric, member = tuple(run.chosen_folds(list(tuning.folds))), run.table.task.metric, tuning.member
    if tuning.pruner == "wilcoxon" and len(folds) < 4:
        raise KitError(f"pruner=wilcoxon needs 3 folds before it gives a trial up, so 4 at least; it has {len(folds)}")
    shared = max(1, (brief.threads if brief else threads()) // workers)
    brief = brief and replace(brief, threads=shared)
    folder = run.root / "tune" / member
    search = Search(
        brief, member, tuple(knobs), folds, tuning.trials, tuning.hours and time.time() + 3600 * tuning.hours,
        address(tuning.storage, folder.with_suffix(".db")), _name(run, tuning, knobs, folds), folder / "locks",
        run.recipe.members[member].seed, tuning.pruner,
    )  # fmt: skip
    if tuning.storage:
        opened_storage(search.storage)  # refused, if it is to be, before the folder is made
    folder.mkdir(parents=True, exist_ok=True)
    for note in notes:
        say(note)
    run.keep_plan()
    with quiet():
        storage = opened_storage(search.storage)
        study = opened_study(search, storage, metric.greater_is_better)
        _begin(study, knobs)
        teller = Teller(
            study, lambda trial, ended: _tell(search.study, trial, ended, run, search, heard), _ended(study)
        )
        if teller.known:
            say(f"{len(teller.known)} trials ended before")
        if on == "inline":
            use_threads(shared)
            work(search, run, storage, teller)
        else:
            _own_first(run, brief, member, folds, on)
            work_together(search, workers, on, teller)
        found = _found(study, run, tuning, knobs, folds, brief)
        found = _pictured(study, found, search.seed)
    if found.best is None:
        _insist(found)
        return found
    found, told = _kept(run, found)
    if found.own and found.best and not found.best["own"]:
        settings, again, held = found.best["settings"], None, None
        if tuning.rescore:
            say(f"scoring trial {found.best['number']} and the recipe's own settings again on other folds")
            again = rescore(run, brief, member, settings, folds, tuning.rescore, on, over=lambda: search.over)
            if len(again.winner if again else ()) < tuning.rescore:
                told = [*told, "time is up: not scored again as often as asked; run again with more hours"]
        if tuning.holdout:
            held = unseen(run, brief, member, settings, folds, on)
        found, _ = _kept(run, replace(found, rescored=again, unseen=held))
    return replace(found, notes=[*found.notes, *told])


def _name(run: Run, tuning: Tuning, knobs: list[Knob], folds: tuple[int, ...]) -> str:
    """A study for each set of what its scores depend on."""
    member = tuning.member
    space = {knob.name: [knob.space.dump(), knob.own] for knob in knobs}
    facts = [VERSION, run.shelf(member).identity, space, folds, run.table.task.metric.name, tuning.pruner]
    return f"{run.table.task.name}-{member}-{digest(facts)[:8]}"


def _begin(study: "Study", knobs: list[Knob]) -> None:
    """The recipe's own settings come first; they come again where they were refused, for that may have been mended."""
    own = [t for t in study.get_trials(deepcopy=False) if t.user_attrs.get("own") and "why" not in t.user_attrs]
    if not own:
        study.enqueue_trial({knob.name: knob.own for knob in knobs}, user_attrs={"own": True})


def _ended(study: "Study") -> set[int]:
    return {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}


def _own_first(run: Run, brief: Brief | None, member: str, folds: tuple[int, ...], on: str) -> None:
    """Fits the recipe's own settings, several folds at once: a member that cannot be fitted at all is seen here."""
    outcomes = fit_missing(run, todo(run, [member], folds).missing, on, brief)
    if bad := [fold for (_, fold), outcome in outcomes.items() if outcome == "failed"]:
        path = run.shelf(member).part(bad[0]) / "error.txt"
        said = path.read_text(encoding="utf-8").strip().splitlines()[-1]
        raise KitError(f"the recipe's own settings of {member} fail in fold {bad[0]}: {said} (all of it in {path})")


def _facts(trials: "list[FrozenTrial]") -> list[Facts]:
    return [facts_of(trial) for trial in trials if trial.state.is_finished() and not is_lost(trial)]


def _tell(study: str, trial: "FrozenTrial", ended: "list[FrozenTrial]", run: Run, search: Search, heard: Heard) -> None:
    facts = _facts(ended)
    _list(run, search.member, search.folds, study, facts)
    if not is_lost(trial):
        heard(facts_of(trial), best_of(facts, run.table.task.metric))


def _list(run: Run, member: str, folds: tuple[int, ...], study: str, trials: list[Facts]) -> None:
    metric = run.table.task.metric
    facts = {
        "study": study, "metric": metric.name, "greater_is_better": metric.greater_is_better, "folds": folds,
        "holdout": run.holdout, "trials": trials,
    }  # fmt: skip
    write_json(trials_file(run.root, member, study), facts)


def _found(
    study: "Study", run: Run, tuning: Tuning, knobs: list[Knob], folds: tuple[int, ...], brief: Brief | None
) -> Tuned:
    metric, member, trials = run.table.task.metric, tuning.member, _facts(study.get_trials(deepcopy=False))
    _list(run, member, folds, study.study_name, trials)
    best = best_of(trials, metric)
    own = best_of([t for t in trials if t["own"]], metric)
    before = own_settings(run.recipe, brief.settings, member) if brief else []
    settings = [*before, *best["settings"]] if best else []
    folder = run.root / "tune" / member
    return Tuned(member, metric.name, metric.greater_is_better, folds, trials, best, own, settings, None, folder)


def _pictured(study: "Study", found: Tuned, seed: int) -> Tuned:
    if found.best is None:
        return found
    shares = importances(study, seed)
    draw(found.folder, found.trials, shares, found.metric, found.greater_is_better, found.member)
    few = [] if shares else ["too few different scores to tell which knobs matter"]
    return replace(found, notes=[*found.notes, *few])


def _insist(found: Tuned) -> None:
    """Ends where nothing could be judged: that is no search."""
    refused = [trial for trial in found.trials if trial["why"]]
    if refused:
        raise KitError(f"no trial of {found.member} could be judged; trial {refused[0]['number']}: {refused[0]['why']}")


def _kept(run: Run, found: Tuned) -> tuple[Tuned, list[str]]:
    """Writes the preset; gives what was found with what the preset now holds, and what is to be said of it."""
    best, member = found.best, found.member
    assert best is not None
    made = with_settings(run, best["settings"]).recipe.members[member]
    facts = {
        "settings": found.settings, "trial": best["number"], "trials": len(found.trials), "metric": found.metric,
        "folds": list(found.folds), "score": best["score"], "own": found.own and found.own["score"],
        "rescored": found.rescored and found.rescored.facts(), "unseen": found.unseen and found.unseen.facts(),
        "rows": len(run.plan), "judged": digest([plan_digest(run.plan), run.table.digest, found.folds, found.metric]),
        "made": None if best["own"] else digest(made.identity()),
    }  # fmt: skip
    there, note = keep(run.root, member, facts, run.table.task.metric)
    return replace(found, preset=there["settings"]), note

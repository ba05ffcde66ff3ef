"""Commands that fit, blend and show a run, and list what can be set."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.app import Comp, Debug, FoldList, On, Only, Preset, Sample, Seed, Set, Threads, app
from kit.cli.opening import find_recipe, kept_preset, known, make_console, open_run, run_folder

if TYPE_CHECKING:
    from rich.console import Console

    from kit.run import Brief, Run


Trials = Annotated[int, typer.Option("--tuned", min=0, help="best trials of each tuned member that take part")]


@app.command()
def cv(
    comp: Comp, only: Only = "", folds: FoldList = "", set_: Set = "", preset: Preset = "", seed: Seed = None,
    sample: Sample = None, on: On = "inline", threads: Threads = None, tuned: Trials = 0, debug: Debug = False,
) -> None:  # fmt: skip
    """Fit what is missing, blend, and write submission.csv."""
    from kit.blending import columns_of, enough_folds
    from kit.cv import fit_missing, todo
    from kit.execute import check_executor
    from kit.report import Progress

    check_executor(on)
    wanted = _numbers(folds)
    console, run, brief = open_run(comp, only, set_, preset, seed, sample, threads)
    names, numbers = list(run.recipe.chosen(only)), run.chosen_folds(wanted)
    if tuned:
        run, brief, names = _with_trials(console, run, brief, names, tuned)
    for frame in (run.table.train, run.table.test):  # a blend that reads what is not there is refused before the fits
        columns_of(run, frame)
    enough_folds(run)
    if sample is None:
        _try_submission(run)
    left = todo(run, names, numbers)
    if left.kept:
        console.print(f"{left.kept} of {left.kept + len(left.missing)} folds were finished before")
    failed, busy = [], []
    if left.missing:
        with Progress(run, left.missing, console) as progress:
            outcomes = fit_missing(run, left.missing, on, brief, progress.told)
        failed = [f"{name} fold {fold}" for (name, fold), o in outcomes.items() if o == "failed"]
        busy = [pair for pair, outcome in outcomes.items() if outcome == "busy"]
    _finish(console, run, list(run.recipe.members), brief, debug)
    if busy:
        console.print(f"{len(busy)} folds are under way in another process; run this again when it has ended")
    if failed:
        print(f"kit: failed: {', '.join(failed)}; the rest is kept, run this again to retry", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def blend(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    tuned: Trials = 0, debug: Debug = False,
) -> None:  # fmt: skip
    """Blend again what is in the bank, and write submission.csv."""
    console, run, brief = open_run(comp, only, set_, preset, seed, sample, None)
    names = list(run.recipe.chosen(only))
    if tuned:
        run, brief, names = _with_trials(console, run, brief, names, tuned)
        for name in names:
            done = len(run.gathered(name))
            if "@" in name and done < len(run.folds):
                console.print(f"{name} has {done} of {len(run.folds)} folds and takes no part; make cv comp={comp} "
                              f"tuned={tuned} fits the rest", highlight=False, soft_wrap=True)  # fmt: skip
    _finish(console, run, names, brief, debug)


@app.command()
def show(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Show members × folds, mean ± sd, blend weights and the time spent; changes nothing."""
    from kit.blending import last_blend
    from kit.report import leaderboard

    console, run, _ = open_run(comp, only, set_, preset, seed, sample, None)
    run, names = blended_too(run, only)
    report = last_blend(run)
    console.print(leaderboard(run, names, report))
    if report and report.optimism:
        console.print(report.optimism, highlight=False, soft_wrap=True)


@app.command()
def options(comp: Comp, set_: Set = "", preset: Preset = "", debug: Debug = False) -> None:
    """List every knob with its type, value, range and meaning."""
    from rich.table import Column, Table

    from kit.recipe import find_data

    recipe = find_recipe(comp)
    kept = kept_preset(recipe, preset, run_folder(comp, find_data(recipe.task, recipe.files[0], recipe.form)))
    recipe = recipe.override(*recipe.spelled(preset or None, set_.split(), None, kept))
    grid = Table(Column("setting", no_wrap=True), "type", "value", "range", "meaning")
    for option in recipe.options():
        grid.add_row(option.name, option.type, str(option.value), option.range, option.description)
    console = make_console()
    console.print(grid)
    for name, settings in {**recipe.presets, **kept}.items():
        console.print(f"preset={name}: {' '.join(settings)}", highlight=False)


@app.command()
def competitions() -> None:
    """List the competitions that have a recipe."""
    print("\n".join(known()))


def _try_submission(run: "Run") -> None:
    """Refuses a sample submission that does not fit the task, before hours are spent on predictions."""
    import numpy as np

    from kit.submit import submission

    task, table = run.table.task, run.table
    if len(table.test):
        submission(task, table.sample, table.test[task.id], np.zeros((len(table.test), task.outputs)))


def _finish(console: "Console", run: "Run", names: list[str], brief: "Brief", debug: bool) -> None:
    from kit.blending import blend as blended
    from kit.cli.reporting import report_after
    from kit.report import leaderboard

    report = blended(run, names, submit=brief.sample is None)
    console.print(leaderboard(run, names, report))
    if report and report.optimism:
        console.print(report.optimism, highlight=False, soft_wrap=True)
    if report is None:
        console.print("nothing to blend: no member has all its folds finished")
    elif report.submission:
        for warning in report.warnings:
            console.print(f"warning: {warning}", highlight=False)
        console.print(f"submission: {report.submission}", highlight=False, soft_wrap=True)
    elif brief.sample is not None:
        console.print(f"sample={brief.sample}: a part of the test rows, so no submission was written")
    report_after(console, run, names, brief, debug, done=report is not None)


def _with_trials(
    console: "Console", run: "Run", brief: "Brief", names: list[str], top: int
) -> tuple["Run", "Brief", list[str]]:
    """The run with the best trials of these members, the same for other processes, and the names with theirs."""
    import json
    from dataclasses import replace

    from kit.tune import with_trials

    run = with_trials(run, top, names, lambda sentence: console.print(sentence, highlight=False, soft_wrap=True))
    trials = {name: member for name, member in run.recipe.members.items() if "@" in name}
    told = tuple((name, json.dumps(member.dump())) for name, member in trials.items())
    return run, replace(brief, further=told), [*names, *trials]


def blended_too(run: "Run", only: str) -> tuple["Run", list[str]]:
    """The run with the trials of its last blend as members, and the names of those chosen, trials among them."""
    from kit.blending import last_blend, with_blended

    names = list(run.recipe.chosen(only))
    report = last_blend(run)
    trials = [name for name in report.weights if "@" in name and name.partition("@")[0] in names] if report else []
    return (with_blended(run), [*names, *trials]) if trials else (run, names)


def _numbers(text: str) -> list[int] | None:
    from kit.spec import KitError

    try:
        return [int(part) for part in text.replace(",", " ").split()] or None
    except ValueError:
        raise KitError(f"folds={text}: not a list of fold numbers such as 0,1") from None

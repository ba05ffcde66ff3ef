"""Commands that fit, blend and show a run."""

from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.app import Comp, Debug, FoldList, On, Only, Preset, Sample, Seed, Set, Threads, app
from kit.cli.finish import finish, not_done
from kit.cli.opening import fold_list, open_run, with_last_trials

if TYPE_CHECKING:
    from rich.console import Console

    from kit.recipe import Recipe
    from kit.run.run import Run


Trials = Annotated[int, typer.Option("--tuned", min=0, help="best trials of each tuned member that take part")]
Images = Annotated[bool, typer.Option("--images", help="write contact sheets of a competition's pictures, too")]
Bank = Annotated[bool, typer.Option("--bank", help="blend every finished member, not only those of only=")]


@app.command()
def cv(
    comp: Comp, only: Only = "", folds: FoldList = "", set_: Set = "", preset: Preset = "", seed: Seed = None,
    sample: Sample = None, on: On = "inline", threads: Threads = None, tuned: Trials = 0, bank: Bank = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Fit what is missing, blend, write submission.csv."""
    from kit.evidence.leaks import find_leaks
    from kit.report import Progress
    from kit.run.blend import enough_folds
    from kit.run.check import check_members
    from kit.run.execute import check_executor
    from kit.run.jobs import fit_jobs, jobs_of, unfinished
    from kit.run.oof import columns_of
    from kit.run.plan_notes import plan_notes

    check_executor(on)
    given = fold_list(folds)
    console, run = open_run(comp, only, set_, preset, seed, sample, threads)
    names, numbers = list(run.recipe.chosen(only)), run.chosen_folds(given)
    if tuned:
        run, names = _with_trials(console, run, names, tuned)
    for frame in (run.table.train, run.table.test):  # a blend that reads what is not there is refused before the fits
        columns_of(run, frame)
    enough_folds(run)
    check_members(run, names)
    if sample is None:
        _try_submission(run)
    jobs = jobs_of(run, names, numbers)
    missing = unfinished(jobs)
    if len(missing) < len(jobs):
        console.print(f"{len(jobs) - len(missing)} of {len(jobs)} folds were finished before")
    failed, busy = [], []
    if missing:
        for note in (
            *plan_notes(run),
            *(leak.sentence for leak in find_leaks(run.table, run.recipe.folds, quick=True)),
        ):
            console.print(note, highlight=False, soft_wrap=True)
        with Progress(missing, console) as progress:
            outcomes = fit_jobs(missing, on, progress.on_event)
        failed = [str(job) for job, outcome in outcomes.items() if outcome.state == "failed"]
        busy = [job for job, outcome in outcomes.items() if outcome.state == "busy"]
    missed = finish(console, run, list(run.recipe.members) if bank else names, debug)
    if busy:
        missed.append(f"{len(busy)} folds are under way in another process; run the same command when it has ended")
    if failed:
        missed.append(f"failed: {', '.join(failed)}; run this again to retry")
    not_done(missed)


@app.command()
def blend(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    tuned: Trials = 0, debug: Debug = False,
) -> None:  # fmt: skip
    """Blend what is in the bank, without fitting."""
    from kit.run.oof import complete

    console, run = open_run(comp, only, set_, preset, seed, sample, None)
    names = list(run.recipe.chosen(only))
    if tuned:
        run, names = _with_trials(console, run, names, tuned)
        for name in names:
            done = len(run.gathered(name))
            if "@" in name and done < len(run.folds):
                console.print(f"{name} has {done} of {len(run.folds)} folds and takes no part; make cv comp={comp} "
                              f"tuned={tuned} fits the rest", highlight=False, soft_wrap=True)  # fmt: skip
    missed = finish(console, run, names, debug)
    not_done(missed if complete(run, names) else ["no member has all its folds finished"])


@app.command()
def show(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    images: Images = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Show the table; with images=1 the pictures too."""
    from kit.report import leaderboard
    from kit.run.blend import last_blend

    check = _check_images if images else lambda recipe: None
    console, run = open_run(comp, only, set_, preset, seed, sample, None, check)
    run, names = with_last_trials(run, only)
    report = last_blend(run)
    console.print(leaderboard(run, names, report))
    if report and report.optimism:
        console.print(report.optimism, highlight=False, soft_wrap=True)
    if images:
        _write_sheets(console, run, names, debug)


def _write_sheets(console: "Console", run: "Run", names: list[str], debug: bool) -> None:
    """Writes the contact sheets, and removes those of an earlier call with other members."""
    from kit.report.data import ReportData
    from kit.report.picture_sheets import PREFIX, drawn_sheets

    folder, made, faults = run.root / "plots", set[str](), list[str]()
    for path, sheet in drawn_sheets(ReportData(run, names), folder, debug):
        if isinstance(sheet, str):
            faults.append(sheet)
        else:
            made.add(path.name)
            console.print(f"contact sheet: {path}", highlight=False, soft_wrap=True)
    for old in folder.glob(f"{PREFIX}*.png"):
        if old.name not in made:
            old.unlink()
    if not made and not faults:
        console.print("there is no contact sheet to draw yet")
    not_done(faults)


def _check_images(recipe: "Recipe") -> None:
    """Refuses images=1 where there are none."""
    from kit.core.errors import KitError

    if not recipe.task.images:
        raise KitError(f"images=1: task '{recipe.task.name}' names no column of pictures (Task.images); leave it out")


def _try_submission(run: "Run") -> None:
    """Refuses a sample submission that does not fit the task, before hours are spent on predictions."""
    import numpy as np

    from kit.submit import submission

    task, table = run.table.task, run.table
    if len(table.test):
        submission(task, table.sample, table.test[task.id], np.zeros((len(table.test), task.outputs)))


def _with_trials(console: "Console", run: "Run", names: list[str], top: int) -> tuple["Run", list[str]]:
    """The run with the best trials of these members, and the names with theirs."""
    from kit.tune import with_trials

    run = with_trials(run, top, names, lambda sentence: console.print(sentence, highlight=False, soft_wrap=True))
    return run, [*names, *(name for name in run.recipe.members if "@" in name)]

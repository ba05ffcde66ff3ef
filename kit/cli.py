"""The commands. The only file that finds competitions; each command imports what it needs when it is called."""

import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kit.recipe import Recipe
    from kit.run import Brief, Run

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="Cross-validated members, a blend and a checked submission for a competition.")  # fmt: skip

Comp = Annotated[str, typer.Argument(metavar="COMP", help="a folder of competitions/, such as toxic")]
Only = Annotated[str, typer.Option(help='members, such as "nbsvm boost"; all by default')]
FoldList = Annotated[str, typer.Option("--folds", help="folds, such as 0,1; all by default")]
Set = Annotated[str, typer.Option("--set", help='settings, such as "minilm.epochs=2 lr=5e-5"')]
Preset = Annotated[str, typer.Option(help="a named list of settings of the recipe")]
Seed = Annotated[int | None, typer.Option(help="seed of every member; the folds stay")]
Sample = Annotated[int | None, typer.Option(min=10, help="try things out on this many train rows; no submission")]
On = Annotated[str, typer.Option(help="inline, processes:N, ray or ray:ADDRESS")]
Threads = Annotated[int | None, typer.Option(min=1, help="threads of numeric code; one per core by default")]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of every error")]


def main() -> None:
    """Runs a command. Exit 0: all done; 1: a fold failed; 2: bad input, told in one sentence; 130: Ctrl-C."""
    from kit.spec import KitError

    try:
        app()
    except KitError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        print(f"kit: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        _stopped()
    except SystemExit as end:
        if end.code != 130:
            raise
        _stopped()  # typer has made this of Ctrl-C


def _stopped() -> None:
    print(
        f"\nkit: stopped; finished folds are kept. To go on: python -m kit {shlex.join(sys.argv[1:])}", file=sys.stderr
    )
    sys.stdout.flush()
    sys.stderr.flush()
    if util := sys.modules.get("multiprocessing.util"):
        util._run_finalizers(0)  # gives semaphores back, or their tracker would warn of them after we are gone
    os._exit(130)  # at once: libraries' threads would hold the interpreter's own exit up


@app.command()
def cv(
    comp: Comp, only: Only = "", folds: FoldList = "", set_: Set = "", preset: Preset = "", seed: Seed = None,
    sample: Sample = None, on: On = "inline", threads: Threads = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Fit what is missing, blend, and write submission.csv."""
    from kit.cv import fit_missing, todo
    from kit.execute import check_executor
    from kit.report import Progress

    check_executor(on)
    wanted = _numbers(folds)
    console, run, brief = _open(comp, only, set_, preset, seed, sample, threads)
    names, numbers = list(run.recipe.chosen(only)), run.chosen_folds(wanted)
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
    _finish(console, run, list(run.recipe.members), brief)
    if busy:
        console.print(f"{len(busy)} folds are under way in another process; run this again when it has ended")
    if failed:
        print(f"kit: failed: {', '.join(failed)}; the rest is kept, run this again to retry", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def blend(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Blend again what is in the bank, and write submission.csv."""
    console, run, brief = _open(comp, only, set_, preset, seed, sample, None)
    _finish(console, run, list(run.recipe.chosen(only)), brief)


@app.command()
def show(
    comp: Comp, only: Only = "", set_: Set = "", preset: Preset = "", seed: Seed = None, sample: Sample = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Show members × folds, mean ± sd, blend weights and the time spent; changes nothing."""
    from kit.blending import last_blend
    from kit.report import leaderboard

    console, run, _ = _open(comp, only, set_, preset, seed, sample, None)
    names = list(run.recipe.chosen(only))
    console.print(leaderboard(run, names, last_blend(run)))


@app.command()
def options(comp: Comp, set_: Set = "", preset: Preset = "", debug: Debug = False) -> None:
    """List every knob with its type, value, range and meaning."""
    from rich.table import Column, Table

    recipe = find_recipe(comp)
    recipe = recipe.override(*recipe.spelled(preset or None, set_.split()))
    grid = Table(Column("setting", no_wrap=True), "type", "value", "range", "meaning")
    for option in recipe.options():
        grid.add_row(option.name, option.type, str(option.value), option.range, option.description)
    console = _console()
    console.print(grid)
    for name, settings in recipe.presets.items():
        console.print(f"preset={name}: {' '.join(settings)}", highlight=False)


@app.command()
def competitions() -> None:
    """List the competitions that have a recipe."""
    print("\n".join(_known()))


def find_recipe(comp: str) -> "Recipe":
    """The recipe in competitions/<comp>/recipe.py, below the working directory or beside the package.

    Raises:
        KitError: there is none of this name, or its recipe.py holds no Recipe.
    """
    from importlib import import_module

    from kit.recipe import Recipe
    from kit.spec import KitError, nearest

    known = _known()
    if comp not in known:
        raise KitError(f"no competition is called '{comp}'" + nearest(comp, list(known)))
    root = str(known[comp])
    if root not in sys.path:
        sys.path.insert(0, root)
    module = import_module(f"competitions.{comp}.recipe")
    found = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Recipe) and c is not Recipe]
    own = [c for c in found if c.__module__ == module.__name__]
    if not own:
        raise KitError(f"competitions/{comp}/recipe.py defines no class that derives from Recipe")
    return own[-1]()


def _known() -> dict[str, Path]:
    """Competition → folder that its `competitions` lies in."""
    roots = [Path.cwd(), Path(__file__).resolve().parent.parent]
    found = [(p.parent.name, root) for root in roots for p in sorted(root.glob("competitions/*/recipe.py"))]
    return dict(sorted(dict(reversed(found)).items()))  # one's own folder before the package's


def _open(
    comp: str, only: str, settings: str, preset: str, seed: int | None, sample: int | None, threads: int | None
) -> tuple["Console", "Run", "Brief"]:
    """Finds recipe and rows, or takes the embedded sample where there are none, and says what was found.

    What was typed is checked before anything is written.
    """
    from kit.recipe import find_data
    from kit.run import Brief, Run
    from kit.threads import threads as default_threads

    console, recipe = _console(), find_recipe(comp)
    root, cache = Path(os.environ.get("KIT_RUNS", "runs")), Path(os.environ.get("KIT_CACHE", "data/cache"))
    folder = find_data(recipe.task, recipe.files[0], recipe.form)
    if folder is None:
        preset = preset or ("quick" if "quick" in recipe.presets else "")
    spelled = tuple(recipe.spelled(preset or None, settings.split(), seed))
    recipe = recipe.override(*spelled)
    recipe.chosen(only)
    if folder is None:
        folder = cache / f"{comp}-sample"
        recipe.write_sample(folder)
        console.print(f"{comp}: no competition files found in {_looked(comp)}; using the embedded sample"
                      + (f" with preset {preset}" if preset else ""), highlight=False)  # fmt: skip
        root = root / f"{comp}-sample"
    else:
        root = root / (comp if sample is None else f"{comp}-{sample}-rows")
    names = f"{type(recipe).__module__}:{type(recipe).__qualname__}"
    brief = Brief(
        names, spelled, folder.absolute(), root.absolute(), cache.absolute(), sample, threads or default_threads()
    )
    table = recipe.load(folder, cache)
    for note in table.notes:
        console.print(note, highlight=False)
    return console, Run(recipe, table if sample is None else table.subset(sample), root), brief


def _looked(comp: str) -> str:
    from kit.recipe import data_root

    return f"{data_root() / comp}/ or below {os.environ.get('KIT_KAGGLE_INPUT', '/kaggle/input')}"


def _try_submission(run: "Run") -> None:
    """Refuses a sample submission that does not fit the task, before hours are spent on predictions."""
    import numpy as np

    from kit.submit import submission

    task, table = run.table.task, run.table
    if len(table.test):
        submission(task, table.sample, table.test[task.id], np.zeros((len(table.test), task.outputs)))


def _finish(console: "Console", run: "Run", names: list[str], brief: "Brief") -> None:
    from kit.blending import blend as blended
    from kit.report import leaderboard

    report = blended(run, names, submit=brief.sample is None)
    console.print(leaderboard(run, names, report))
    if report is None:
        console.print("nothing to blend: no member has all its folds finished")
    elif report.submission:
        for warning in report.warnings:
            console.print(f"warning: {warning}", highlight=False)
        console.print(f"submission: {report.submission}", highlight=False, soft_wrap=True)
    elif brief.sample is not None:
        console.print(f"sample={brief.sample}: a part of the test rows, so no submission was written")


def _numbers(text: str) -> list[int] | None:
    from kit.spec import KitError

    try:
        return [int(part) for part in text.replace(",", " ").split()] or None
    except ValueError:
        raise KitError(f"folds={text}: not a list of fold numbers such as 0,1") from None


def _console() -> "Console":
    from rich.console import Console

    # a pipe has no width of its own: a table squeezed into 80 columns could not be read
    # and brackets and colons in a person's texts are no markup
    return Console(width=None if sys.stdout.isatty() else 140, markup=False, emoji=False)

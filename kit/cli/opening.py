"""Finds the recipe and the rows of a command. Only this module knows where competitions are."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kit.core.console import make_console

if TYPE_CHECKING:
    from rich.console import Console

    from kit.recipe import Recipe
    from kit.run.run import Run


def find_recipe(comp: str) -> "Recipe":
    """The recipe in competitions/<comp>/recipe.py, below the working directory or beside the package.

    Raises:
        KitError: there is no such competition, its recipe.py has no Recipe, or it cannot be imported.
    """
    from kit.cli.recipe_file import import_recipe
    from kit.core.errors import KitError, nearest
    from kit.recipe import Recipe

    roots = known()
    if comp not in roots:
        raise KitError(f"no competition is called '{comp}'" + nearest(comp, list(roots)))
    root = str(roots[comp])
    if root not in sys.path:
        sys.path.insert(0, root)
    file, folder = f"competitions/{comp}/recipe.py", roots[comp] / "competitions"
    module = import_recipe(f"competitions.{comp}.recipe", folder)
    found = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Recipe) and c is not Recipe]
    own = [c for c in found if c.__module__ == module.__name__]
    if not own:
        raise KitError(f"{file} defines no class that derives from Recipe")
    try:
        return own[-1]()
    except KitError as error:
        raise KitError(f"{file}: {error}") from error


def known() -> dict[str, Path]:
    """Competition → parent folder of its `competitions`."""
    roots = [Path.cwd(), Path(__file__).resolve().parents[2]]
    found = [(p.parent.name, root) for root in roots for p in sorted(root.glob("competitions/*/recipe.py"))]
    return dict(sorted(dict(reversed(found)).items()))  # the working directory before the package's folder


def open_run(
    comp: str,
    only: str,
    settings: str,
    preset: str,
    seed: int | None,
    sample: int | None,
    threads: int | None,
    check: Callable[["Recipe"], object] = lambda recipe: None,
) -> tuple["Console", "Run"]:
    """Opens the run of a competition: its recipe and rows, or the embedded sample if there are no files.

    All input is checked before anything is written, also by `check`.
    """
    from kit.reading.discovery import no_data
    from kit.run.leftovers import sweep
    from kit.run.opened import Opened
    from kit.run.run import Run

    console, recipe = make_console(), find_recipe(comp)
    cache = Path(os.environ.get("KIT_CACHE", "data/cache"))
    folder = recipe.find_data()
    if folder is None and not recipe.has_sample:
        raise no_data(recipe.task, recipe.all_files(), comp)
    if folder is None:
        preset = preset or ("quick" if "quick" in recipe.presets else "")
    root = run_folder(comp, folder, sample)
    overrides = tuple(recipe.overrides(preset or None, settings.split(), seed, kept_preset(recipe, preset, root)))
    recipe = recipe.override(*overrides)
    recipe.chosen(only)
    check(recipe)
    if folder is None:
        folder = cache / f"{comp}-sample"
        recipe.write_sample(folder)
        console.print(f"{comp}: no competition files found in {_looked(recipe.task.name)}; using the embedded sample"
                      + (f" with preset {preset}" if preset else ""), highlight=False)  # fmt: skip
    sweep(root, cache)
    opened = Opened.of(recipe, overrides, folder, root, cache, sample, threads)
    table = recipe.load(folder, cache)
    for note in table.notes:
        console.print(note, highlight=False)
    return console, Run(recipe, table if sample is None else table.subset(sample), root, opened=opened)


def run_folder(comp: str, data: Path | None, sample: int | None = None) -> Path:
    """The run folder of a competition. The embedded sample (no data) and fewer rows have folders of their own."""
    name = (comp if data else f"{comp}-sample") + ("" if sample is None else f"-{sample}-rows")
    return Path(os.environ.get("KIT_RUNS", "runs")) / name


def kept_preset(recipe: "Recipe", preset: str, root: Path) -> dict[str, list[str]]:
    """The settings of preset=tuned, which searches wrote into the run folder; empty for other presets."""
    if preset != "tuned" or preset in recipe.presets:
        return {}
    from kit.tune.preset import tuned_settings

    return {preset: tuned_settings(root, recipe)}


def _looked(name: str) -> str:
    from kit.reading.discovery import data_root, mounted

    return f"{data_root() / name}/ or below {mounted()}"


def with_last_trials(run: "Run", only: str) -> tuple["Run", list[str]]:
    """The run with the trials of its last blend as members, and the names of the chosen members and trials."""
    from kit.run.blend import last_blend, with_blended

    names = list(run.recipe.chosen(only))
    report = last_blend(run)
    trials = [name for name in report.weights if "@" in name and name.partition("@")[0] in names] if report else []
    return (with_blended(run), [*names, *trials]) if trials else (run, names)


def as_blended(run: "Run") -> tuple["Run", dict[str, tuple[Any, Any]]]:
    """The run with the settings of its last blend, and the settings that differ from the given run.

    Returns:
        The given run and nothing, if its settings are those of the last blend or if these are unknown.
    """
    from kit.core.errors import KitError
    from kit.core.spec import Spec
    from kit.report.history import history
    from kit.run.blend import last_blend
    from kit.run.run import Run

    kept = [] if last_blend(run) else history(run.root)
    try:
        recipe = cast("Recipe", Spec.from_dict(kept[-1]["settings"])) if kept else run.recipe
    except KitError:  # the recipe was changed and refuses them now
        return run, {}
    other = Run(recipe, run.table, run.root)
    return (other, recipe.diff(run.recipe)) if last_blend(other) else (run, {})


def fold_list(text: str) -> list[int] | None:
    """The fold numbers in a text such as 0,1; None if it is empty."""
    from kit.core.errors import KitError

    try:
        return [int(part) for part in text.replace(",", " ").split()] or None
    except ValueError:
        raise KitError(f"folds={text}: not a list of fold numbers such as 0,1") from None

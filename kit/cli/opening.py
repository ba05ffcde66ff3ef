"""Finds the recipe and the rows that a command is about. Nothing else in kit knows where competitions lie."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from kit.recipe import Recipe
    from kit.run import Brief, Run


def find_recipe(comp: str) -> "Recipe":
    """The recipe in competitions/<comp>/recipe.py, below the working directory or beside the package.

    Raises:
        KitError: there is none of this name, or its recipe.py holds no Recipe.
    """
    from importlib import import_module

    from kit.recipe import Recipe
    from kit.spec import KitError, nearest

    roots = known()
    if comp not in roots:
        raise KitError(f"no competition is called '{comp}'" + nearest(comp, list(roots)))
    root = str(roots[comp])
    if root not in sys.path:
        sys.path.insert(0, root)
    module = import_module(f"competitions.{comp}.recipe")
    found = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Recipe) and c is not Recipe]
    own = [c for c in found if c.__module__ == module.__name__]
    if not own:
        raise KitError(f"competitions/{comp}/recipe.py defines no class that derives from Recipe")
    return own[-1]()


def known() -> dict[str, Path]:
    """Competition → folder that its `competitions` lies in."""
    roots = [Path.cwd(), Path(__file__).resolve().parents[2]]
    found = [(p.parent.name, root) for root in roots for p in sorted(root.glob("competitions/*/recipe.py"))]
    return dict(sorted(dict(reversed(found)).items()))  # one's own folder before the package's


def open_run(
    comp: str,
    only: str,
    settings: str,
    preset: str,
    seed: int | None,
    sample: int | None,
    threads: int | None,
    check: Callable[["Recipe"], object] = lambda recipe: None,
) -> tuple["Console", "Run", "Brief"]:
    """Finds recipe and rows, or takes the embedded sample where there are none, and says what was found.

    What was typed is checked before anything is written, by `check` too.
    """
    from kit.recipe import find_data
    from kit.run import Brief, Run
    from kit.threads import threads as default_threads

    console, recipe = make_console(), find_recipe(comp)
    cache = Path(os.environ.get("KIT_CACHE", "data/cache"))
    folder = find_data(recipe.task, recipe.files[0], recipe.form)
    if folder is None:
        preset = preset or ("quick" if "quick" in recipe.presets else "")
    root = run_folder(comp, folder, sample)
    spelled = tuple(recipe.spelled(preset or None, settings.split(), seed, kept_preset(recipe, preset, root)))
    recipe = recipe.override(*spelled)
    recipe.chosen(only)
    check(recipe)
    if folder is None:
        folder = cache / f"{comp}-sample"
        recipe.write_sample(folder)
        console.print(f"{comp}: no competition files found in {_looked(comp)}; using the embedded sample"
                      + (f" with preset {preset}" if preset else ""), highlight=False)  # fmt: skip
    names = f"{type(recipe).__module__}:{type(recipe).__qualname__}"
    brief = Brief(
        names, spelled, folder.absolute(), root.absolute(), cache.absolute(), sample, threads or default_threads()
    )
    table = recipe.load(folder, cache)
    for note in table.notes:
        console.print(note, highlight=False)
    return console, Run(recipe, table if sample is None else table.subset(sample), root), brief


def run_folder(comp: str, data: Path | None, sample: int | None = None) -> Path:
    """Where a run of a competition lies; runs of the embedded sample (no data) and of a part of the rows lie apart."""
    name = f"{comp}-sample" if data is None else comp if sample is None else f"{comp}-{sample}-rows"
    return Path(os.environ.get("KIT_RUNS", "runs")) / name


def kept_preset(recipe: "Recipe", preset: str, root: Path) -> dict[str, list[str]]:
    """The preset that searches have written into the run folder, where it is asked for."""
    if preset != "tuned" or preset in recipe.presets:
        return {}
    from kit.tune.preset import tuned_settings

    return {preset: tuned_settings(root, recipe)}


def _looked(comp: str) -> str:
    from kit.recipe import data_root

    return f"{data_root() / comp}/ or below {os.environ.get('KIT_KAGGLE_INPUT', '/kaggle/input')}"


def make_console() -> "Console":
    """A console as wide as its terminal."""
    from rich.console import Console

    # a pipe has no width of its own: a table squeezed into 80 columns could not be read
    # and brackets and colons in a person's texts are no markup
    return Console(width=None if sys.stdout.isatty() else 140, markup=False, emoji=False)

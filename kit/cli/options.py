"""The commands that list: every setting of a recipe, and the competitions."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.app import Comp, Debug, Preset, Set, app
from kit.cli.opening import find_recipe, kept_preset, known, run_folder
from kit.core.console import make_console

if TYPE_CHECKING:
    from kit.core.spec import Option, Spec
    from kit.recipe import Recipe

FULL = "find=NAME shows settings with type, range and full description; changed=1 those that differ from the defaults"


@app.command()
def options(
    comp: Comp,
    find: Annotated[str, typer.Option(help="only settings with this in their name or description, in full")] = "",
    changed: Annotated[bool, typer.Option("--changed", help="only settings that differ from the defaults")] = False,
    set_: Set = "", preset: Preset = "", debug: Debug = False,
) -> None:  # fmt: skip
    """List every setting with its value and meaning."""
    recipe = find_recipe(comp)
    kept = kept_preset(recipe, preset, run_folder(comp, recipe.find_data()))
    recipe = recipe.override(*recipe.overrides(preset or None, set_.split(), None, kept))
    chosen = selected(recipe, find, changed)
    console = make_console()
    lines = in_full(chosen, console.width) if find or changed else in_brief(recipe, chosen, console.width)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    if not (find or changed):
        console.print(f"\n{FULL}", highlight=False)
    for name, settings in {**recipe.presets, **kept}.items():
        console.print(f"preset={name}: {' '.join(settings)}", highlight=False)


@app.command()
def competitions() -> None:
    """List the competitions that have a recipe."""
    print("\n".join(known()))


def selected(recipe: "Recipe", find: str, changed: bool) -> list["Option"]:
    """The settings with `find` in their name, or else in their description, in the recipe's order.

    Args:
        find: text to look for; empty: all settings.
        changed: whether to give only settings that differ from the default of their class.

    Raises:
        KitError: no setting has `find` in its name or description.
    """
    from kit.core.errors import KitError, nearest

    every = recipe.options()
    chosen = [option for option in every if find.lower() in option.name.lower()]
    chosen = chosen or [option for option in every if find.lower() in option.description.lower()]
    if not chosen:
        near = nearest(find, [option.name for option in every])
        raise KitError(
            f"find={find}: no setting has this in its name or description" + (near if near.endswith("?") else "")
        )
    return [o for o in chosen if o.name in differing(recipe)] if changed else chosen


def differing(recipe: "Recipe") -> set[str]:
    """Dotted names of the settings that differ from the defaults of their class."""
    fields = ((name, getattr(recipe, name)) for name in type(recipe).model_fields)
    return {path for name, value in fields if value is not None for path in _differing(value, _default(value), name)}


def _differing(value: "Spec", default: Any, path: str) -> Iterator[str]:
    from kit.core.spec import Spec

    for name in type(value).model_fields:
        mine, usual = getattr(value, name), getattr(default, name, ...)
        if isinstance(mine, Spec) and type(mine) is not type(usual):  # another class was chosen
            yield f"{path}.{name}"
            yield from _differing(mine, _default(mine), f"{path}.{name}")
        elif isinstance(mine, Spec):
            yield from _differing(mine, usual, f"{path}.{name}")
        elif mine != usual:
            yield f"{path}.{name}"


def _default(value: "Spec") -> Any:
    try:
        return type(value)()
    except Exception:  # it has settings without a default, or it is a class of the recipe that refuses its defaults
        return None


def in_full(chosen: list["Option"], width: int) -> Iterator[str]:
    """Two or more lines for each setting: its value; its type, range and description."""
    for option in chosen:
        yield f"{option.name} = {option.value}"
        kind = option.type + (f", {option.range}" if option.range else "")
        yield textwrap.fill(f"{kind}: {option.description}", width, initial_indent="    ", subsequent_indent="    ")


def in_brief(recipe: "Recipe", chosen: list["Option"], width: int) -> Iterator[str]:
    """One line for each setting, grouped by member: name, value, and the beginning of its description."""
    for owner in type(recipe).model_fields:
        group = [option for option in chosen if option.name.partition(".")[0] == owner]
        value = getattr(recipe, owner)
        yield f"\n{owner}: {type(value).__name__}" if value is not None else f"\n{owner}: none"
        rows = [(option.name.partition(".")[2], str(option.value), option.description) for option in group]
        rows = [row for row in rows if row[0]]
        names = max((len(name) for name, _, _ in rows), default=0)
        for name, shown, meaning in rows:
            line = f"  {name:{names}}  {textwrap.shorten(shown, 18, placeholder='…'):18}  {meaning}"
            yield line if len(line) <= width else line[: width - 1].rstrip() + "…"

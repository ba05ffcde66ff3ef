"""Knobs: which settings of a member are searched, and in which space. The recipe's own spaces are checked here."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.recipe import Recipe
from kit.tune.defaults import UNKNOWN, default_space
from kit.tune.space import Space, override_text


@dataclass(frozen=True)
class Knob:
    """One searched setting.

    Attributes:
        name: exact dotted name.
        space: the values to search; the recipe's own value is one of them.
        own: the recipe's own value, in the form that Optuna uses.
    """

    name: str
    space: Space
    own: Any


def knobs_of(recipe: Recipe, member: str, rows: int = UNKNOWN) -> tuple[list[Knob], list[str]]:
    """The searched knobs of a member, and notes about them to show.

    All entries of `Recipe.tune` are checked, also those of other members. If there is none for this member, the default
    spaces of its kind are used: those that fit its current settings and the number of train rows.

    Raises:
        KitError: there is no such member, or nothing to tune; or an entry is not a setting, or has a value that the
            setting refuses.
    """
    recipe.chosen([member])
    if member not in type(recipe).model_fields:
        raise KitError(f"'{member}' is not a field of {type(recipe).__name__}, so settings cannot change it")
    declared = [(_name(recipe, name, space), space) for name, space in recipe.tune.items()]
    found = [(_knob(recipe, name, space), name, space) for name, space in declared if name.split(".")[0] == member]
    for knob, name, space in found:
        if knob is None:
            now = _shown(recipe, name)
            raise KitError(f"tune: '{name}' is {now} now, which does not fit the space {space}; use choice")
    if not found:
        defaults = default_space(recipe.members[member], rows)
        offered = [(f"{member}.{tail}", space) for tail, space in defaults.items()]
        found = [(_knob(recipe, name, space), name, space) for name, space in offered if _reaches(recipe, name)]
    knobs = [(knob, space) for knob, _, space in found if knob is not None]
    if not knobs:
        kind = type(recipe.members[member]).__name__
        raise KitError(f"nothing to tune: '{member}' is a {kind}, which has no defaults; declare tune in the recipe")
    wider = [knob for knob, space in knobs if knob.space != space]
    notes = [f"{k.name}: searched in {k.space}, wider than usual to hold the recipe's own {k.own}" for k in wider]
    return [knob for knob, _ in knobs], notes


def _name(recipe: Recipe, name: str, space: Any) -> str:
    """The exact name of an entry of `Recipe.tune`; checks the entry."""
    if not isinstance(space, Space):
        raise KitError(f"tune: '{name}' = {space!r}: give integer, log_int, number, log_float or choice of kit.tune")
    try:
        full = recipe.full_name(name)
    except KitError as error:
        raise KitError(f"tune: {error}") from None
    if full.split(".")[0] not in recipe.members:
        raise KitError(f"tune: '{full}' is not a setting of a member")
    for text in space.probes():
        try:
            recipe.override(f"{full}={text}")
        except KitError as error:
            raise KitError(f"tune: '{full}' searched in {space}: {error}") from None
    return full


def _knob(recipe: Recipe, name: str, space: Space) -> Knob | None:
    texts = [text for text in space.probes() if recipe.override(f"{name}={text}") == recipe]
    placed = space.own(_value(recipe, name), [*texts, override_text(_value(recipe, name))])
    return placed and Knob(name, *placed)


def _reaches(recipe: Recipe, name: str) -> bool:
    """Whether the setting exists now: `word.min_df` does not exist while `word` is none."""
    try:
        return recipe.full_name(name) == name
    except KitError:
        return False


def _value(recipe: Recipe, name: str) -> Any:
    return reduce(getattr, name.split("."), recipe)


def _shown(recipe: Recipe, name: str) -> str:
    value = _value(recipe, name)
    return type(value).__name__ if isinstance(value, Spec) else override_text(value)

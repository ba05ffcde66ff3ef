"""Which knobs of a member are searched, and where: read from the recipe, checked by the fields themselves."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from kit.recipe import Recipe
from kit.spec import KitError, Spec
from kit.tune.defaults import default_space
from kit.tune.space import Space, spelled


@dataclass(frozen=True)
class Knob:
    """One searched setting.

    Attributes:
        name: exact dotted name.
        space: holds the recipe's own value.
        own: that value as Optuna knows it.
    """

    name: str
    space: Space
    own: Any


def knobs_of(recipe: Recipe, member: str) -> tuple[list[Knob], list[str]]:
    """The searched knobs of a member, and what is to be said about them.

    `Recipe.tune` is checked whole, also what concerns other members; where it has nothing for this one, defaults of its
    kind serve, those that make sense for its present settings.

    Raises:
        KitError: no such member, nothing to tune, or an entry that is no knob or whose values its field refuses.
    """
    recipe.chosen([member])
    if member not in type(recipe).model_fields:
        raise KitError(f"'{member}' is no field of {type(recipe).__name__}, so no setting reaches it")
    declared = [(_name(recipe, name, space), space) for name, space in recipe.tune.items()]
    found = [(_knob(recipe, name, space), name, space) for name, space in declared if name.split(".")[0] == member]
    for knob, name, space in found:
        if knob is None:
            now = _shown(recipe, name)
            raise KitError(f"tune: '{name}' is {now} now, which lies in no range {space}; take choice")
    if not found:
        offered = [(f"{member}.{tail}", space) for tail, space in default_space(recipe.members[member]).items()]
        found = [(_knob(recipe, name, space), name, space) for name, space in offered if _reaches(recipe, name)]
    knobs = [(knob, space) for knob, _, space in found if knob is not None]
    if not knobs:
        kind = type(recipe.members[member]).__name__
        raise KitError(f"nothing to tune: '{member}' is a {kind}, which has no defaults; declare tune in the recipe")
    wider = [knob for knob, space in knobs if knob.space != space]
    notes = [f"{k.name}: searched in {k.space}, so that the recipe's own {k.own} is among them" for k in wider]
    return [knob for knob, _ in knobs], notes


def _name(recipe: Recipe, name: str, space: Any) -> str:
    """The exact name of an entry of `Recipe.tune`, which is checked."""
    if not isinstance(space, Space):
        raise KitError(f"tune: '{name}' = {space!r}: give integer, log_int, number, log_float or choice of kit.tune")
    try:
        full = recipe._resolve(name)
    except KitError as error:
        raise KitError(f"tune: {error}") from None
    if full.split(".")[0] not in recipe.members:
        raise KitError(f"tune: '{full}' is no knob of a member")
    for text in space.probes():
        try:
            recipe.override(f"{full}={text}")
        except KitError as error:
            raise KitError(f"tune: '{full}' searched in {space}: {error}") from None
    return full


def _knob(recipe: Recipe, name: str, space: Space) -> Knob | None:
    texts = [text for text in space.probes() if recipe.override(f"{name}={text}") == recipe]
    placed = space.own(_value(recipe, name), [*texts, spelled(_value(recipe, name))])
    return placed and Knob(name, *placed)


def _reaches(recipe: Recipe, name: str) -> bool:
    """Whether the setting exists while others are as they are: `word.min_df` does not while word is none."""
    try:
        return recipe._resolve(name) == name
    except KitError:
        return False


def _value(recipe: Recipe, name: str) -> Any:
    return reduce(getattr, name.split("."), recipe)


def _shown(recipe: Recipe, name: str) -> str:
    value = _value(recipe, name)
    return type(value).__name__ if isinstance(value, Spec) else spelled(value)

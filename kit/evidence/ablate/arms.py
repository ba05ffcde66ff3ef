"""Arms: a member's techniques as overrides, which an ablation compares with the base."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kit.core.errors import KitError, nearest
from kit.evidence.ablate.techniques import TECHNIQUES, Technique
from kit.evidence.overrides import overridden
from kit.member import Member
from kit.recipe import Recipe
from kit.run.check import check_members
from kit.run.run import Run


@dataclass(frozen=True)
class Arm:
    """A technique that is switched on or left out, in one way.

    Attributes:
        name: name of the technique; if there are several ways to use it, the way follows in brackets.
        overrides: overrides of the recipe.
        refused: why it cannot be tried, in a sentence; empty if it can.
    """

    name: str
    overrides: tuple[str, ...]
    refused: str = ""


def arms_of(run: Run, member: str, techniques: Sequence[str] = ()) -> list[Arm]:
    """The arms of a member: techniques of its class and base classes, then those of the recipe.

    Args:
        techniques: names of techniques, or of single arms; all by default.

    Raises:
        KitError: a name is not known, the member cannot read the task, or there is nothing to try.
    """
    check_members(run, [member])
    arms = [
        arm for name, technique in declared(run.recipe, member).items() for arm in _ways(run, member, name, technique)
    ]
    for name in techniques:
        if not any(_is_named(arm, name) for arm in arms):
            names = list(dict.fromkeys([*(arm.name.partition(" (")[0] for arm in arms), *(arm.name for arm in arms)]))
            raise KitError(f"no technique of '{member}' is called '{name}'" + nearest(name, names))
    chosen = [
        _tried(run, member, arm) for arm in arms if not techniques or any(_is_named(arm, name) for name in techniques)
    ]
    if not chosen:
        example = f"techniques = {{'name': '{member}.knob=value'}}"
        raise KitError(f"there is nothing to ablate in '{member}'; declare {example} in the recipe")
    if all(arm.refused for arm in chosen):
        raise KitError(f"'{member}' cannot use any of the techniques; '{chosen[0].name}': {chosen[0].refused}")
    return chosen


def declared(recipe: Recipe, member: str) -> dict[str, Technique]:
    """Technique → settings, without the member's name; those of the recipe replace those of the class."""
    found: dict[str, Technique] = {}
    for cls in reversed(type(_inner(recipe, member)).__mro__):
        found |= TECHNIQUES.get(cls.__name__, {})
    for name, technique in recipe.techniques.items():
        ways = technique if isinstance(technique, dict) else {"": technique}
        heads = {s.partition(".")[0] for way in ways.values() for s in way.split()} & recipe.members.keys()
        if heads <= {member}:
            found[name] = technique
    return found


def _inner(recipe: Recipe, member: str) -> Member:
    """The member; for a member that contains another one, the innermost, which has the stages and techniques."""
    inner: Member = recipe.members[member]
    while isinstance(deeper := getattr(inner, "member", None), Member):
        inner = deeper
    return inner


def _is_named(arm: Arm, name: str) -> bool:
    return name in (arm.name, arm.name.partition(" (")[0])


def _ways(run: Run, member: str, name: str, technique: Technique) -> list[Arm]:
    ways = technique if isinstance(technique, dict) else {"": technique}
    return [_arm(run.recipe, member, f"{name} ({way})" if way else name, text) for way, text in ways.items()]


def _arm(recipe: Recipe, member: str, name: str, text: str) -> Arm:
    stages = getattr(_inner(recipe, member), "stages", ())
    epochs, counted = sum(stage.epochs for stage in stages), any(stage.steps for stage in stages)
    refused = ""
    if ("{half}" in text or "{more}" in text) and (counted or not epochs):
        refused = "it is given in epochs, and this member counts steps" if counted else "this member has no epochs"
    text = text.replace("{half}", f"{epochs / 2:g}").replace("{more}", str(epochs + 1))
    overrides = tuple(s if s.startswith(f"{member}.") else f"{member}.{s}" for s in text.split())
    return Arm(name, overrides, refused)


def _tried(run: Run, member: str, arm: Arm) -> Arm:
    """The arm, with the reason why its member refuses it."""
    if arm.refused:
        return arm
    try:
        changed = overridden(run, member, arm.overrides)
        recipe = changed.recipe
        check_members(changed, [member])
    except KitError as error:
        return replace(arm, refused=str(error).removeprefix(f"member '{member}': "))
    if recipe == run.recipe:
        return replace(arm, refused="it changes nothing: the base already has it")
    return arm


def joined(run: Run, member: str, arms: Sequence[Arm]) -> tuple[list[Arm], list[Arm]]:
    """The arms that can be switched on together, in this order; and those that cannot, with the reason."""
    taken: list[Arm] = []
    left: list[Arm] = []
    for arm in arms:
        overrides = [s for a in [*taken, arm] for s in a.overrides]
        try:
            recipe = overridden(run, member, overrides).recipe
        except KitError as error:
            left.append(replace(arm, refused=str(error)))
            continue
        undone = next((a for a in taken if recipe.override(*a.overrides) != recipe), None)
        if undone is None:
            taken.append(arm)
        else:
            left.append(replace(arm, refused=f"it undoes '{undone.name}'"))
    return taken, left

"""Other seeds for a member and for the members that it is made of."""

from collections.abc import Iterator
from typing import Any

from kit.core.setting_text import as_text
from kit.member import Member
from kit.members.wrapper import Wrapper


def reseeded(member: Member, by: int) -> Member:
    """The member with `by` added to its seed and to those of the members that it is made of."""
    fields = {name: getattr(member, name) for name in type(member).model_fields}
    inner = {name: _inner_reseeded(value, by) for name, value in fields.items()}
    return type(member)(**inner | {"seed": member.seed + by})


def reseeding(name: str, member: Member, by: int) -> list[str]:
    """Settings that do to the recipe's member `name` what `reseeded` does; none where no seed changes the fit.

    A member that seeds its parts itself, such as `Seeds`, gets another seed alone.
    """
    return list(_settings(name, member, by)) if by and member.is_random else []


def _inner_reseeded(value: Any, by: int) -> Any:
    """A setting's value with the members in it, such as the further parts of a Concat, reseeded."""
    if isinstance(value, tuple):
        return tuple(_inner_reseeded(one, by) for one in value)
    return reseeded(value, by) if isinstance(value, Member) else value


def _settings(path: str, member: Member, by: int) -> Iterator[str]:
    yield f"{path}.seed={member.seed + by}"
    alone = isinstance(member, Wrapper) and member.seeds_member
    for name in () if alone else type(member).model_fields:
        value = getattr(member, name)
        if isinstance(value, Member):
            yield from _settings(f"{path}.{name}", value, by)
        elif (other := _inner_reseeded(value, by)) != value:  # parts of a tuple have no names: they are set together
            yield f"{path}.{name}={as_text(other)}"

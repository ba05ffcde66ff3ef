"""A run in which one member has other settings."""

from collections.abc import Sequence

from kit.core.errors import KitError
from kit.members.reseeding import reseeding
from kit.run.run import Run


def overridden(run: Run, member: str, overrides: Sequence[str] = (), seed: int = 0) -> Run:
    """The run in which one member has other settings.

    Args:
        run: the run.
        member: name of the member.
        overrides: strings as in `set=`; they may change this member only.
        seed: number that is added to the seed of the member and of the members inside it.

    Raises:
        KitError: there is no such member or setting, or an override changes something else.
    """
    run.recipe.chosen(member)
    recipe = run.recipe.override(*overrides)
    if foreign := [path for path in recipe.diff(run.recipe) if path != member and not path.startswith(f"{member}.")]:
        raise KitError(
            f"setting '{' '.join(overrides)}' changes '{foreign[0]}'; only settings of '{member}' may differ"
        )
    return run.with_settings(*overrides, *reseeding(member, recipe.members[member], seed))

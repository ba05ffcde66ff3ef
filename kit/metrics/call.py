"""Wrong calls of Metric(…), explained in one sentence."""

import functools
from typing import Any, TypeVar

from kit.core.errors import KitError, nearest, shown

C = TypeVar("C", bound=type)


def with_explained_calls(cls: C) -> C:
    """Class decorator of Metric: a call with wrong arguments is a KitError with the right call."""
    init: Any = cls.__init__  # type: ignore[misc]

    @functools.wraps(init)
    def explained(self: Any, *given: Any, **settings: Any) -> None:
        if len(given) > 2:
            raise KitError(
                f"Metric takes a function and a name, then settings by name, not {shown(given[2])}: "
                "Metric(my_function, 'mine', greater_is_better=True)"
            )
        known = [*cls.__dataclass_fields__]  # type: ignore[attr-defined]
        if unknown := [name for name in settings if name not in known]:
            raise KitError(f"Metric has no setting '{unknown[0]}'" + nearest(unknown[0], known))
        if "greater_is_better" not in settings:
            raise KitError(
                "Metric: is greater better? Metric(my_function, greater_is_better=True), or False for a loss"
            )
        init(self, *given, **settings)

    cls.__init__ = explained  # type: ignore[misc]
    return cls

"""What a person is told who did something wrong."""

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


class KitError(Exception):
    """What a person did wrong, in one sentence that names the offender and the nearest right thing.

    The command line prints the sentence on standard error and exits with 2; no traceback is shown.
    """


def nearest(name: str, known: list[str]) -> str:
    """The clause '; did you mean …?', or the list of what is known where nothing is near."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not close:  # a typing slip in the last part of a dotted name is still near
        tails = {k.rsplit(".", 1)[-1]: k for k in reversed(known)}
        close = [tails[t] for t in difflib.get_close_matches(name.rsplit(".", 1)[-1], tails, n=1, cutoff=0.6)]
    return f"; did you mean '{close[0]}'?" if close else f"; there are: {', '.join(known)}"


def refusal(cls: "type[BaseModel]", error: "ValidationError") -> str:
    """What pydantic first found wrong with the settings of a class, as one sentence."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{cls.__name__} has no setting '{where}'" + nearest(where, list(cls.model_fields))
    if first["type"] == "value_error":  # a validator's own sentence
        return f"{cls.__name__}: " + first["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
    return f"{cls.__name__}.{where}{shown}: {first['msg'][0].lower()}{first['msg'][1:]}"

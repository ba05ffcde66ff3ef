"""Errors for users: one sentence with the nearest right name."""

import difflib
from typing import TYPE_CHECKING, Any, ClassVar

from kit.core.redact import redacted

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


LONGEST = 1000  # characters of a sentence, at most
READ = 1_000_000  # characters that are searched for passwords; a longer text is shortened before
SHOWN = 80  # characters of a value in a sentence, at most
NAMES = 30  # names in a list of known names, at most


class KitError(Exception):
    """A mistake of the user, in one sentence that names the cause and the nearest right thing.

    The command line prints the sentence on standard error and exits with `exit_code`, without a traceback. The sentence
    is always short and printable and shows no password, whatever values it contains.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, sentence: object = "") -> None:
        super().__init__(as_sentence(sentence) if isinstance(sentence, str) else sentence)


class Unfinished(KitError):
    """A part of the work could not be done, for example because a fit failed; what is finished is kept."""

    exit_code: ClassVar[int] = 1


def as_sentence(text: str) -> str:
    """The text on one line, in printable characters, without passwords; if it is too long, its middle is left out."""
    short = _cut(redacted(_cut(text, READ, len(text))), LONGEST, len(text))
    if short.isprintable():
        return short
    return _cut("".join(c if c.isprintable() else repr(c)[1:-1] for c in short), LONGEST, len(text))


def shown(value: Any) -> str:
    """A value as a sentence shows it: its `repr`; of a long value only the beginning, and the length."""
    if isinstance(value, (str, bytes)):
        written, length = repr(value[: SHOWN + 1]), len(value)
        return written if length <= SHOWN else f"{written[: SHOWN - 20]}…{written[0]} ({length:,} characters)"
    try:
        written = repr(value)
    except Exception as error:  # an integer with too many digits for Python to write, or a class whose `repr` fails
        return f"a {type(value).__name__} that cannot be written ({type(error).__name__})"
    return written if len(written) <= SHOWN else f"{written[: SHOWN - 20]}… ({len(written):,} characters)"


def _cut(text: str, longest: int, length: int) -> str:
    if len(text) <= longest:
        return text
    middle = f" … ({length:,} characters) … "
    begin = (longest - len(middle)) * 2 // 3
    return text[:begin] + middle + text[len(text) - (longest - len(middle) - begin) :]


def nearest(name: str, known: list[str]) -> str:
    """The clause '; did you mean …?'; the list of known names if none of them is similar."""
    more = f" and {len(known) - NAMES} more" if len(known) > NAMES else ""
    return close_to(name, known) or f"; there are: {', '.join(known[:NAMES])}{more}"


def close_to(name: str, known: list[str]) -> str:
    """The clause '; did you mean …?'; empty if no known name is similar."""
    if len(name) > SHOWN * 3:  # this is no typing error, and comparing would take long
        return ""
    folded = {k.casefold(): k for k in reversed(known)}  # upper and lower case are the most frequent difference: ID, id
    close = [folded[k] for k in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)]
    if not close:  # a typing error in the last part of a dotted name
        tails = {k.rsplit(".", 1)[-1]: k for k in reversed(known)}
        close = [tails[t] for t in difflib.get_close_matches(name.rsplit(".", 1)[-1], tails, n=1, cutoff=0.6)]
    return f"; did you mean '{close[0]}'?" if close else ""


def refusal(cls: "type[BaseModel]", error: "ValidationError") -> str:
    """The first error that pydantic found in the settings of a class, as one sentence."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{cls.__name__} has no setting '{where}'" + nearest(where, list(cls.model_fields))
    if first["type"] == "value_error":  # a validator's own sentence
        return f"{cls.__name__}: " + first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict) else f" = {shown(first['input'])}"
    return f"{cls.__name__}.{where}{given}: {first['msg'][0].lower()}{first['msg'][1:]}"

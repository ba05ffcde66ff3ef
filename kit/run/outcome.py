"""Outcome: how the fit of a fold ended; and the text of an error."""

import traceback
from dataclasses import dataclass
from typing import Literal

from kit.core.errors import KitError, as_sentence
from kit.core.machine import is_shortage
from kit.core.redact import redacted


@dataclass(frozen=True)
class Outcome:
    """How the fit of a fold ended.

    Attributes:
        state: `done`: fitted now; `kept`: finished before; `busy`: another process is fitting it; or `failed`.
        sentence: the error in one line; empty if the fold is finished.
        shortage: whether it failed because memory ran out or a process was killed.
    """

    state: Literal["done", "kept", "busy", "failed"]
    sentence: str = ""
    shortage: bool = False

    @property
    def finished(self) -> bool:
        """Whether the fold's predictions are in the bank."""
        return self.state in ("done", "kept")


BUSY = Outcome("busy", "another process is fitting it")


def error_text(error: BaseException) -> str:
    """The text of error.txt, without passwords: the sentence of a KitError, the traceback of any other error."""
    lines = [str(error)] if isinstance(error, KitError) else traceback.format_exception(error)
    return redacted("".join(lines).rstrip()) + "\n"


def last_line(text: str) -> str:
    """The last line that is not blank; empty if there is none."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def failed(error: BaseException) -> Outcome:
    """The outcome of a fit that ended with this error."""
    return Outcome("failed", as_sentence(last_line(error_text(error))), is_shortage(error))

"""Hides passwords: every text that is printed, logged or written goes through `redacted`.

Passwords are found in two ways. In an address, its form shows which part is the password. And passwords from arguments,
environment variables and storages are remembered, so they are also found if a library writes them in another form.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"
LEAST = 6  # a shorter password is hidden in addresses only: elsewhere it could be a part of any word

_SECRET = (
    r"(?:\w*(?:password|passwd|passphrase|pwd)"
    r"|(?:\w*_)?(?:secret|secret_?key|api_?key|access_?key|(?:auth|tracking|access)_?token))"
)
# every quantifier has a limit, because a text may be very long
FORMS = [
    re.compile(r"(://[^\s:/@\"'<>]{0,200}:)([^\s\"'<>]{1,500})(?=@)"),  # scheme://user:password@host
    re.compile(r"((?<![\w.+-])[\w.+-]{1,200}:)([^\s\"'<>@/:]{1,500})(?=@[\w.\[])"),  # user:password@host
    re.compile(r"(%3A%2F%2F[^\s%\"'<>]{0,200}%3A)([^\s\"'<>]{1,500}?)(?=%40)", re.IGNORECASE),  # all of it encoded
    re.compile(
        rf"((?<!\w){_SECRET}(?:=|%3D))(\"[^\"]{{1,500}}\"|'[^']{{1,500}}'|[^\s&;,\"'<>)]{{1,500}})", re.IGNORECASE
    ),
    re.compile(rf"([\"']{_SECRET}[\"']: ?)(\"[^\"]{{1,500}}\"|'[^']{{1,500}}')", re.IGNORECASE),
]  # fmt: skip
# the same in one word of a command line, or in a variable: there a password may contain any character
WHOLE = re.compile(r"://[^:/@]*:(.+)@|^(?:[\w.+-]+=)?[^:/@\s]*:(?!//)(.+)@", re.DOTALL)
NAMED = re.compile(rf"(?:^|[?&;\s]){_SECRET}=([^&;]+)", re.IGNORECASE | re.DOTALL)
VARIABLE = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|KAGGLE_KEY", re.IGNORECASE)

_known: set[str] = set()


def redacted(text: str) -> str:
    """The text with every password in it replaced by ***."""
    for form in FORMS:
        text = form.sub(rf"\g<1>{HIDDEN}", text)
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def keep_secret(*texts: str) -> None:
    """Remembers the passwords in these addresses: from now on `redacted` hides them in any text."""
    for text in texts:
        for secret in _passwords(text):
            forms = {secret, unquote(secret), unquote_plus(secret)}
            forms |= {encoded for form in [*forms] for encoded in (quote(form, safe=""), quote_plus(form))}
            forms |= {repr(form)[1:-1] for form in forms}
            _known.update(form for form in forms if len(form) >= LEAST)


def keep_secrets_of(words: Iterable[str], environment: Mapping[str, str] = os.environ) -> None:
    """Remembers the passwords in a command line and in the environment."""
    keep_secret(*words, *environment.values())
    _known.update(v for name, v in environment.items() if VARIABLE.search(name) and len(v) >= LEAST and "/" not in v)


def _passwords(text: str) -> Iterator[str]:
    for found in (WHOLE.search(text), *NAMED.finditer(text)):
        if found is not None:
            yield next(group for group in found.groups() if group is not None)


class RedactedStream:
    """A text stream that hides passwords; everything else is passed on to the stream."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Writes the text without its passwords; returns the length of the given text."""
        self.stream.write(redacted(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each of the texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

"""Turns `name=value` words after `kit` into options of the command. The Makefile passes them in this form."""

import re
from collections.abc import Callable, Sequence
from typing import Any

WORD = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
NO = ("", "0", "no", "false", "off")
# words that people type by mistake → the option that they mean
MEANT = {
    "member": "only", "members": "only", "model": "only", "models": "only", "competition": "comp", "setting": "set",
    "settings": "set", "options": "set", "executor": "on", "jobs": "on", "rows": "sample", "filter": "find",
    "image": "images", "pictures": "images", "sheets": "images",
}  # fmt: skip


def arguments(
    words: Sequence[str], commands: dict[str, Any], competitions: Callable[[], list[str]],
    members: Callable[[str], list[str]],
) -> list[str]:  # fmt: skip
    """The words in the form of typer: `cv comp=toxic only=boost debug=1` becomes `cv toxic --only=boost --debug`.

    `--only boost` is accepted too. A word without a value (`only=`) is ignored.

    Args:
        words: a command and its options.
        commands: name → command of click.
        competitions: gives the names of competitions, for the error if `comp=` is missing.
        members: gives the members of a competition, for the error if `member=` is missing.

    Raises:
        KitError: there is no such command or option, a word is not of the form name=value, or the competition or member
            is missing.
    """
    from kit.core.errors import KitError, nearest

    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):  # how Python shows bytes that are not UTF-8
            raise KitError(f"'{word}' is not valid UTF-8")
    if not words or words[0].startswith("-") or "--help" in words:
        return list(words)
    name, rest = words[0], list(words[1:])
    if name not in commands:
        raise KitError(f"there is no command '{name}'" + nearest(name, list(commands)))
    params = {param.opts[0].lstrip("-"): param for param in commands[name].params if param.name != "help"}
    required = [key for key, param in params.items() if param.param_type_name == "argument"]
    given: dict[str, str] = {}
    places: list[str] = []
    options: list[str] = []
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            options.append(word)
            flag = params.get(word.lstrip("-"))
            if rest and flag is not None and not flag.is_flag:
                options.append(rest.pop(0))
        elif (match := WORD.fullmatch(word)) is None:
            places.append(word)
        else:
            key, value = match.groups()
            if key not in params:
                raise KitError(_unknown(name, key, value, list(params)))
            if key in required:
                given[key] = value
            elif params[key].is_flag:
                options += [f"--{key}"] if value.lower() not in NO else []
            elif value:
                options.append(f"--{key}={value}")
    for key in required:
        if not given.get(key) and places:
            given[key] = places.pop(0)
        if not given.get(key):
            known = competitions() if key == "comp" else members(given["comp"])
            what = "a competition" if key == "comp" else f"a member of '{given['comp']}'"
            raise KitError(f"{name} needs {what}: {key}=NAME, where NAME is one of: {', '.join(known)}")
    if places:
        others = "=, ".join(key for key in params if key not in required)
        raise KitError(f"'{places[0]}' is not of the form name=value; {name} has: {others}=")
    return [name, *(given[key] for key in required), *options]


def _unknown(command: str, key: str, value: str, known: list[str]) -> str:
    from kit.core.errors import nearest

    if "." in key and "set" in known:
        return f"'{key}' is a setting; settings are given as set=\"{key}={value}\""
    near = f"; did you mean '{MEANT[key]}='?" if MEANT.get(key) in known else ""
    return f"{command} has no '{key}='" + (near or nearest(f"{key}=", [f"{name}=" for name in known]))

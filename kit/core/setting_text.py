"""Values of settings as text: reads the value of `name=value`, and writes a value as such text."""

import ast
import inspect
import json
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from kit.core.classes import class_named
from kit.core.errors import KitError, nearest, shown
from kit.core.functions import code_name, code_named, is_code, takes_code

LONGEST, DEEPEST = 10_000, 50  # characters of a setting, and brackets inside brackets


def check_text(setting: str) -> None:
    """Raises a KitError if a `name=value` is too long or nested too deep to be read."""
    what = f"setting {shown(setting)}"
    if len(setting) > LONGEST:
        raise KitError(f"{what} is longer than {LONGEST:,} characters")
    if "\0" in setting or any("\ud800" <= character <= "\udfff" for character in setting):
        raise KitError(f"{what} holds a NUL or is not valid UTF-8")
    depth = 0
    for character in setting:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEEPEST:
            raise KitError(f"{what} has more than {DEEPEST} brackets inside each other")


def readings(text: str, annotation: Any) -> list[Any]:
    """The values that a text can mean in a field of this type, the most likely one first.

    For example, `1e3` in a field of texts is this text, and `a` in a tuple field is a tuple of one item. If the type of
    the field is a settings class, the text names such a class, or is none. If the field holds a function, the text
    names a function that the recipe uses or defines.

    Raises:
        KitError: there is no class of this name, or the text is not of the form Class(knob=value).
    """
    if takes_code(annotation) and parsed(text) is not None:
        return [code_named(text)]
    if (classes := settings_classes(annotation)) and parsed(text) is not None:
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise KitError(f"'{text}' is not of the form {classes[0].__name__}(knob=value)") from None
        found = _built(tree, classes)
        return [(found,) if get_origin(annotation) is tuple and not isinstance(found, tuple) else found]
    items = tuple(part.strip() for part in text.removesuffix(",").split(","))
    return [parsed(text), text, (parsed(text.removesuffix(",")),), items]


def settings_classes(annotation: Any) -> list[type[BaseModel]]:
    """The settings classes in the type of a field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in settings_classes(part)]


def choices(*bases: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Name → class that a field of these types accepts: the types and their subclasses, without abstract classes."""
    found: dict[str, type[BaseModel]] = {}
    for base in bases:
        if not inspect.isabstract(base):
            found[base.__name__] = base
        found |= choices(*base.__subclasses__())
    return found


def parsed(text: str) -> Any:
    """The value of a text: None, true or false, a number, a tuple, other JSON; else the text itself."""
    if text.lower() in ("none", "null"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # neither a number nor JSON
        pass
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "," in text:
        return tuple(parsed(part.strip()) for part in text.removesuffix(",").split(","))
    return text


def as_text(value: Any) -> str:
    """A value as a text that `readings` turns into the same value."""
    if isinstance(value, BaseModel):
        fields = {n: (getattr(value, n), info.get_default()) for n, info in type(value).model_fields.items()}
        given = [f"{n}={as_text(own)}" for n, (own, default) in fields.items() if own != default]
        return f"{type(value).__name__}({', '.join(given)})"
    if is_code(value):
        return code_name(value)
    return "(" + "".join(f"{as_text(one)}, " for one in value) + ")" if isinstance(value, tuple) else repr(value)


def _not_yet_imported(name: str, classes: list[type[BaseModel]]) -> type[BaseModel] | None:
    """The class of kit of this name in a module that nothing has imported so far."""
    for base in classes:
        try:
            return class_named(name, base)
        except KitError:
            continue
    return None


def _built(tree: ast.expr, classes: list[type[BaseModel]]) -> Any:
    """The value of an expression such as `Focal(gamma=2)`, where settings of these classes are expected."""
    if isinstance(tree, ast.Tuple):
        return tuple(_built(part, classes) for part in tree.elts)
    if classes and isinstance(tree, (ast.Name, ast.Call)):
        name = tree.id if isinstance(tree, ast.Name) else ast.unparse(tree.func)
        known = choices(*classes)
        cls = known.get(name) or {k.lower(): v for k, v in known.items()}.get(name.lower())
        cls = cls or _not_yet_imported(name, classes)
        if cls is None:
            raise KitError(f"no {classes[0].__name__} is called '{name}'" + nearest(name, list(known)))
        if isinstance(tree, ast.Call) and tree.args:
            raise KitError(f"'{ast.unparse(tree)}': settings of {cls.__name__} are given as knob=value")
        given = {k.arg or "": k.value for k in tree.keywords} if isinstance(tree, ast.Call) else {}
        fields = cls.model_fields
        types = {k: fields[k].annotation if k in fields else None for k in given}
        return cls(**{k: _knob(v, types[k]) for k, v in given.items()})
    return parsed(ast.unparse(tree).replace("'", '"'))


def _knob(tree: ast.expr, annotation: Any) -> Any:
    if takes_code(annotation) and isinstance(tree, ast.Name | ast.Attribute) and ast.unparse(tree) != "None":
        return code_named(ast.unparse(tree))
    return _built(tree, settings_classes(annotation))

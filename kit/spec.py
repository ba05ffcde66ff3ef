"""Spec: the frozen, typed settings object that everything configurable derives from."""

import ast
import hashlib
import importlib
import inspect
import json
from collections.abc import Iterator
from types import NoneType
from typing import Any, ClassVar, NamedTuple, Self, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from kit.errors import KitError, nearest, refusal

__all__ = ["KitError", "Option", "Spec", "digest", "nearest", "validator"]

validator = model_validator


class Option(NamedTuple):
    """One knob of a spec, as `make options` prints it."""

    name: str
    type: str
    value: Any
    range: str
    description: str


class Spec(BaseModel):
    """Frozen settings: hashable, comparable, round-trips through JSON, refuses unknown names and bad values.

    Fields are the knobs; `pydantic.Field(default, ge=…, description=…)` gives range and one-line description.
    Raise `version` when the code behind a spec changes its results: cached work of the old code is then not reused.
    """

    # defaults are cast like given values: 1 and 1.0 in a float field are one setting and have one fingerprint
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True)
    version: ClassVar[int] = 1
    immaterial: ClassVar[tuple[str, ...]] = ()  # settings that change no result: device, size of a batch, cache

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise KitError(refusal(type(self), error)) from None

    # ---- overriding ----------------------------------------------------------------------------

    def override(self, *settings: str) -> Self:
        """A copy with `name=value` settings applied, left to right.

        A name is an exact dotted name (`minilm.stage.lr`), or a tail (`stage.lr`) or abbreviation (`minilm.lr`: some
        parts left out) of exactly one of them.
        Values are cast and checked by the field's own type; `none` stands for None, commas separate the items of a
        tuple, a nested spec is chosen as `name=Class` or `name=Class(knob=value,…)`, in capitals or not.

        Raises:
            KitError: unknown or ambiguous name, or a value that its field refuses.
        """
        spec = self
        for setting in settings:
            name, found, value = setting.partition("=")
            if not found:
                raise KitError(f"setting '{setting}' is not of the form name=value")
            spec = spec._replace(spec._resolve(name.strip()).split("."), value.strip())
        return spec

    def _resolve(self, name: str) -> str:
        names = [path for path, *_ in self._leaves()]
        known = [*names, *(path for path, *_ in self._nested())]
        if name in known:
            return name
        fitting = [n for n in known if n.endswith("." + name)] or [n for n in known if _abbreviates(name, n)]
        if len(fitting) > 1:
            raise KitError(f"setting '{name}' is ambiguous: {', '.join(fitting)}")
        if not fitting:
            raise KitError(f"unknown setting '{name}'" + nearest(name, names))
        return fitting[0]

    def _replace(self, path: list[str], text: str) -> Self:
        head, rest = path[0], path[1:]
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        if rest:
            fields[head] = fields[head]._replace(rest, text)
            return type(self)(**fields)
        readings = _readings(text, type(self).model_fields[head].annotation)
        for reading in readings[:-1]:
            try:
                return type(self)(**fields | {head: reading})
            except KitError:
                continue
        try:
            return type(self)(**fields | {head: readings[-1]})
        except KitError:  # the sentence about the likeliest reading
            return type(self)(**fields | {head: readings[0]})

    def _leaves(self, prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Spec):
                yield from value._leaves(f"{prefix}{name}.")
            elif info.init is not False:
                yield prefix + name, info, value

    def _nested(self, prefix: str = "") -> Iterator[tuple[str, FieldInfo, "Spec"]]:
        """Nested specs, which can be exchanged as a whole."""
        for name, info in type(self).model_fields.items():
            if isinstance(value := getattr(self, name), Spec):
                yield prefix + name, info, value
                yield from value._nested(f"{prefix}{name}.")

    def options(self) -> list[Option]:
        """Every knob, nested ones by dotted name, in the order of declaration."""
        return list(self._options())

    def _options(self, prefix: str = "") -> Iterator[Option]:
        for name, info in type(self).model_fields.items():
            value, path = getattr(self, name), prefix + name
            if isinstance(value, Spec):
                if len(choices(*_specs_in(info.annotation))) > 1 or NoneType in get_args(info.annotation):
                    yield Option(path, _type_name(info), type(value).__name__, "", info.description or "")
                yield from value._options(f"{path}.")
            elif info.init is not False:
                yield Option(path, _type_name(info), value, _range(info), info.description or "")

    def diff(self, other: "Spec") -> dict[str, tuple[Any, Any]]:
        """Knobs whose values differ: dotted name → (mine, the other's); absent ones are None.

        Nested specs of different classes differ by the names of these.
        """
        mine, theirs = (
            {p: v for p, _, v in s._leaves()} | {p: type(v).__name__ for p, _, v in s._nested()} for s in (self, other)
        )
        names = list(dict.fromkeys([*mine, *theirs]))
        return {n: (mine.get(n), theirs.get(n)) for n in names if mine.get(n) != theirs.get(n)}

    # ---- identity ------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """JSON-ready dict with the class and version of every nested spec; `Spec.revive` reads it back."""
        return self._told("dump", sorted(type(self).model_fields))

    def _told(self, how: str, names: list[str]) -> dict[str, Any]:
        fields = {name: _plain(getattr(self, name), how) for name in names}
        return {"class": f"{type(self).__module__}:{type(self).__qualname__}", "version": self.version, **fields}

    def reads(self) -> dict[str, str]:
        """Setting → checksum of the file or folder that it names (`kit.files.contents`); none by default."""
        return {}

    def identity(self) -> dict[str, Any]:
        """All that a result depends on: `dump` less what is immaterial, with the checksums of what it reads."""
        told = self._told("identity", sorted(type(self).model_fields.keys() - {*self.immaterial}))
        return told | ({"reads": read} if (read := self.reads()) else {})

    @staticmethod
    def revive(dumped: dict[str, Any]) -> "Spec":
        """The spec that `dump` described.

        Raises:
            KitError: the class is not a Spec, or its fields refuse the values.
        """
        fields = {k: _revive(v) for k, v in dumped.items() if k not in ("class", "version")}
        where = str(dumped.get("class"))
        module, _, name = where.partition(":")
        try:
            cls: Any = importlib.import_module(module)
            for part in name.split("."):
                cls = getattr(cls, part)
        except (ImportError, AttributeError, ValueError):
            raise KitError(f"there is no class '{where}' to load a spec with") from None
        if not (isinstance(cls, type) and issubclass(cls, Spec)):
            raise KitError(f"'{where}' is not a Spec")
        return cls(**fields)

    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with the class, its version and any setting, and with nothing else."""
        return digest(self.dump())


def _abbreviates(name: str, full: str) -> bool:
    """Whether `name` is `full` with some parts left out, the last one kept."""
    parts = iter(full.split("."))
    return name.split(".")[-1] == full.split(".")[-1] and all(part in parts for part in name.split("."))


def digest(value: Any) -> str:
    """SHA-256 of a JSON-ready value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _plain(value: Any, how: str) -> Any:
    if isinstance(value, Spec):
        return getattr(value, how)()
    if isinstance(value, (tuple, list)):
        return [_plain(v, how) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v, how) for k, v in value.items()}
    if hasattr(value, "item"):  # numpy scalars
        return value.item()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        return Spec.revive(value) if "class" in value else {k: _revive(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(_revive(v) for v in value)
    return value


def _readings(text: str, annotation: Any) -> list[Any]:
    """What a field may take a text for, the likeliest first: name=1e3 wants the very text, names=a, a tuple of one.

    Where the field's type names specs, and the text is not none, it names one of these.
    """
    if (specs := _specs_in(annotation)) and _parse(text) is not None:
        try:
            tree = ast.parse(text, mode="eval").body
        except SyntaxError:
            raise KitError(f"'{text}' is not of the form {specs[0].__name__}(knob=value)") from None
        found = _built(tree, specs)
        return [(found,) if get_origin(annotation) is tuple and not isinstance(found, tuple) else found]
    items = tuple(part.strip() for part in text.removesuffix(",").split(","))
    return [_parse(text), text, (_parse(text.removesuffix(",")),), items]


def _specs_in(annotation: Any) -> list[type[Spec]]:
    """The spec classes that a field's type names."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation]
    return [found for part in get_args(annotation) for found in _specs_in(part)]


def choices(*bases: type[Spec]) -> dict[str, type[Spec]]:
    """Name → class of what can stand in a field of these types: they and their subclasses, abstract ones left out."""
    found: dict[str, type[Spec]] = {}
    for base in bases:
        if not inspect.isabstract(base):
            found[base.__name__] = base
        found |= choices(*base.__subclasses__())
    return found


def _built(tree: ast.expr, specs: list[type[Spec]]) -> Any:
    """The value that an expression such as `Focal(gamma=2)` stands for, where specs of these types are wanted."""
    if isinstance(tree, ast.Tuple):
        return tuple(_built(part, specs) for part in tree.elts)
    if specs and isinstance(tree, (ast.Name, ast.Call)):
        name = tree.id if isinstance(tree, ast.Name) else ast.unparse(tree.func)
        known = choices(*specs)
        cls = known.get(name) or {k.lower(): v for k, v in known.items()}.get(name.lower())
        if cls is None:
            raise KitError(f"no {specs[0].__name__} is called '{name}'" + nearest(name, list(known)))
        if isinstance(tree, ast.Call) and tree.args:
            raise KitError(f"'{ast.unparse(tree)}': settings of {cls.__name__} are given as knob=value")
        given = {k.arg or "": k.value for k in tree.keywords} if isinstance(tree, ast.Call) else {}
        fields = cls.model_fields
        inner = {k: _specs_in(fields[k].annotation) if k in fields else [] for k in given}
        return cls(**{k: _built(v, inner[k]) for k, v in given.items()})
    return _parse(ast.unparse(tree).replace("'", '"'))


def _parse(text: str) -> Any:
    if text.lower() in ("none", "null"):
        return None
    try:
        return json.loads(text)
    except ValueError:  # it is no number and no JSON: one of the forms below
        pass
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "," in text:
        return tuple(_parse(part.strip()) for part in text.removesuffix(",").split(","))
    return text


def _type_name(info: FieldInfo) -> str:
    kind = info.annotation
    if specs := _specs_in(kind):
        several = ", several" if get_origin(kind) is tuple else ""
        return " | ".join(choices(*specs)) + (" | none" if NoneType in get_args(kind) else "") + several
    return (
        kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind).replace("typing.", "")
    )


def _range(info: FieldInfo) -> str:
    signs = {Ge: "≥ {0.ge}", Gt: "> {0.gt}", Le: "≤ {0.le}", Lt: "< {0.lt}"}
    return ", ".join(sign.format(m) for m in info.metadata for kind, sign in signs.items() if isinstance(m, kind))

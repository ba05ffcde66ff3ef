"""Spec: the frozen, typed settings object that everything configurable derives from."""

from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, ClassVar, Self
from uuid import UUID

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from kit.core.classes import class_named
from kit.core.errors import KitError, refusal, shown
from kit.core.files import digest
from kit.core.functions import code_from_dict, code_to_dict, hold, is_code, is_code_dict
from kit.core.options import Option, option_of
from kit.core.setting_names import resolved
from kit.core.setting_text import check_text, choices, readings, settings_classes
from kit.core.source_digest import source_of

__all__ = ["Option", "Spec", "choices", "digest", "validator"]

validator = model_validator

AS_TEXT = (PurePath, date, time, timedelta, Decimal, UUID, Enum)
NO_FIELDS = ("class", "version", "files", "source_digest")  # other keys in dicts of specs


class Spec(BaseModel):
    """Frozen settings: hashable, comparable, round-trips through JSON, refuses unknown names and bad values.

    Fields are the knobs; `pydantic.Field(default, ge=…, description=…)` gives range and one-line description.
    Raise `version` when the code behind a spec changes its results: cached work of the old code is then not reused.
    """

    # cast defaults as well: 1 and 1.0 in a float field are equal and have the same fingerprint
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True)
    version: ClassVar[int] = 1
    not_in_identity: ClassVar[tuple[str, ...]] = ()  # settings that do not change results, such as device or cache

    def __init__(self, /, *given: Any, **settings: Any) -> None:
        if given:
            raise KitError(f"{type(self).__name__} takes settings by name only: {self._meant(given[0])}, …")
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise KitError(refusal(type(self), error)) from None
        hold([*self.__dict__.values()])

    @classmethod
    def _meant(cls, value: Any) -> str:
        """`name=value` of the first setting that this value may be meant for; those of the class itself come first."""
        own = {*vars(cls).get("__annotations__", {})}
        fields = [(name, info) for name, info in cls.model_fields.items() if info.init is not False]
        fields.sort(key=lambda field: field[0] not in own)
        like = (name for name, info in fields if info.is_required() or _alike(value, info.default))
        return f"{next(like, fields[0][0])}={shown(value)}"

    # ---- overriding ----------------------------------------------------------------------------

    def override(self, *settings: str) -> Self:
        """A copy with `name=value` settings applied, left to right.

        A name is an exact dotted name (`minilm.stage.lr`), or its last parts (`stage.lr`), or an abbreviation
        (`minilm.lr`: some parts are left out), if only one setting fits. Values are cast and checked by the type of the
        field. `none` means None; commas separate the items of a tuple; a nested spec is written as `name=Class` or
        `name=Class(knob=value,…)`, in upper or lower case.

        Raises:
            KitError: unknown or ambiguous name, or a value that its field refuses.
        """
        spec = self
        for setting in settings:
            check_text(setting)
            name, found, value = setting.partition("=")
            if not found:
                raise KitError(f"setting '{setting}' is not of the form name=value")
            spec = spec._replace(spec.full_name(name.strip()).split("."), value.strip())
        return spec

    def full_name(self, name: str) -> str:
        """The exact dotted name of the setting that a name stands for; see `override`.

        Raises:
            KitError: unknown or ambiguous name.
        """
        return resolved(name, [path for path, *_ in self._leaves()], [path for path, *_ in self._nested()])

    def _replace(self, path: list[str], text: str) -> Self:
        head, rest = path[0], path[1:]
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        if rest:
            fields[head] = fields[head]._replace(rest, text)
            return type(self)(**fields)
        found = readings(text, type(self).model_fields[head].annotation)
        for reading in found[:-1]:
            try:
                return type(self)(**fields | {head: reading})
            except KitError:
                continue
        try:
            return type(self)(**fields | {head: found[-1]})
        except KitError:  # the error of the most likely reading
            return type(self)(**fields | {head: found[0]})

    def _leaves(self, prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Spec):
                yield from value._leaves(f"{prefix}{name}.")
            elif info.init is not False:
                yield prefix + name, info, value

    def _nested(self, prefix: str = "") -> Iterator[tuple[str, FieldInfo, "Spec"]]:
        """Nested specs, which can be replaced as a whole."""
        for name, info in type(self).model_fields.items():
            if isinstance(value := getattr(self, name), Spec):
                yield prefix + name, info, value
                yield from value._nested(f"{prefix}{name}.")

    def options(self) -> list[Option]:
        """All settings, nested ones by dotted name, in the order of declaration."""
        return list(self._options())

    def _options(self, prefix: str = "") -> Iterator[Option]:
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if (option := option_of(prefix + name, info, value)) is not None:
                yield option
            if isinstance(value, Spec):
                yield from value._options(f"{prefix}{name}.")

    def diff(self, other: "Spec") -> dict[str, tuple[Any, Any]]:
        """Settings with different values: dotted name → (own value, other value); None if a setting does not exist.

        Nested specs of different classes are shown by the names of their classes.
        """
        mine, theirs = (
            {p: v for p, _, v in s._leaves()} | {p: type(v).__name__ for p, _, v in s._nested()} for s in (self, other)
        )
        names = list(dict.fromkeys([*mine, *theirs]))
        return {n: (mine.get(n), theirs.get(n)) for n in names if mine.get(n) != theirs.get(n)}

    # ---- saved form and identity ---------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """A dict of JSON values with class name, version and settings, also nested ones; `from_dict` reads it."""
        return self._as_dict("to_dict", sorted(type(self).model_fields))

    def _as_dict(self, method: str, names: list[str]) -> dict[str, Any]:
        where = f"{type(self).__name__}."
        fields = {name: _plain(getattr(self, name), method, where + name) for name in names}
        return {"class": type(self).__name__, "version": self.version, **fields}

    @classmethod
    def from_dict(cls, saved: dict[str, Any], module: str = "") -> Self:
        """The spec that `to_dict` or `identity` described.

        Its class must be this one or derive from it, and it must be kit's own or defined in this process, see
        `kit.core.classes`.

        Args:
            saved: class name, version and settings.
            module: module of the recipe; its classes are preferred if other modules have classes of the same name.

        Raises:
            KitError: there is no such class, or its fields refuse the values.
        """
        name = saved.get("class") if isinstance(saved, dict) else None
        if not isinstance(name, str):
            raise KitError(
                f"these are not saved settings of a {cls.__name__}: they must be a dict with the key 'class'"
            )
        found = class_named(name, cls, module)
        types = {name: info.annotation for name, info in found.model_fields.items()}
        given = {k: v for k, v in saved.items() if k in types or k not in NO_FIELDS}
        return found(**{k: _from_plain(v, types.get(k), module) for k, v in given.items()})

    def file_checksums(self) -> dict[str, str]:
        """Setting → checksum of the file or folder that it names, see `kit.core.files.contents`; empty by default."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Everything that results depend on, as JSON values.

        It is `to_dict` without `not_in_identity`, with the checksums of files that settings name. If the class is not
        kit's own, it also has a digest of its code (`kit.core.source_digest`).
        """
        found = self._as_dict("identity", sorted(type(self).model_fields.keys() - {*self.not_in_identity}))
        extra = {"files": self.file_checksums(), "source_digest": source_of(type(self))}
        return found | {name: value for name, value in extra.items() if value}

    def fingerprint(self) -> str:
        """64 hexadecimal digits of the class name, its version and all settings."""
        return digest(self.to_dict())


def _alike(value: Any, default: Any) -> bool:
    """Whether both are settings, or values of one type."""
    if isinstance(value, Spec) or isinstance(default, Spec):
        return isinstance(value, Spec) and isinstance(default, Spec)
    return isinstance(value, type(default))


def _plain(value: Any, method: str, where: str) -> Any:
    """A value as JSON values; for a spec, the result of its method `method`."""
    if isinstance(value, Spec):
        return getattr(value, method)()
    if isinstance(value, (tuple, list)):
        return [_plain(v, method, where) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v, method, where) for k, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if is_code(value):
        return code_to_dict(value)
    if method == "identity" and hasattr(value, "identity"):
        return value.identity()
    if isinstance(value, AS_TEXT) or hasattr(type(value), "__get_pydantic_core_schema__"):  # fields read what they say
        return value.to_setting() if hasattr(value, "to_setting") else str(value)
    kind = type(value).__name__
    raise KitError(f"{where}: a {kind} is no setting; give plain values, settings, or a function that makes the {kind}")


def _from_plain(value: Any, annotation: Any, module: str) -> Any:
    """The value that `_plain` described, for a field of this type."""
    if is_code_dict(value):
        return code_from_dict(value)
    if isinstance(value, dict) and "class" in value:
        *others, last = [cls for cls in settings_classes(annotation) if issubclass(cls, Spec)] or [Spec]
        return next((cls for cls in others if _has(cls, value["class"], module)), last).from_dict(value, module)
    if isinstance(value, dict):
        return {k: _from_plain(v, annotation, module) for k, v in value.items()}
    return tuple(_from_plain(v, annotation, module) for v in value) if isinstance(value, list) else value


def _has(base: type[Spec], name: Any, module: str) -> bool:
    try:
        return bool(class_named(str(name), base, module))
    except KitError:
        return False

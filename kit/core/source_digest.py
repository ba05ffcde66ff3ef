"""Digests of the user's own code: of a function or class, and of everything that it uses.

If someone edits a feature of a recipe, or a helper function, constant or base class that it uses, the digest changes,
and so does the key in the bank: results of the old code are not used for the new code. Comments, docstrings, layout,
the order of definitions and unused code do not change the digest. Code of kit counts by name and version, code of
libraries by name.
"""

import functools
import hashlib
import inspect
import json
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from pydantic import BaseModel

from kit.core.errors import KitError
from kit.core.files import contents, digest
from kit.core.function_names import attributes_changed, globals_changed, imports_inside, names_mutated, names_used
from kit.core.function_text import function_text
from kit.core.object_state import NotComparable, as_array, state_of
from kit.core.own_code import home_of, imported, is_of_kit, is_own


def source_digest(*things: Any) -> str:
    """64 hexadecimal digits that depend on these functions, classes or objects, and on all code and constants they use.

    Raises:
        KitError: they use a value that cannot be compared, such as an open file.
    """
    return _Description().digest(things)


def source_of(thing: Any) -> str | None:
    """The `source_digest` of a function or class of the user; None for those of kit and of libraries."""
    return source_digest(thing) if is_own(home_of(thing)) else None


class _Description:
    """A description of objects as JSON values, in which each function, class and module of the user occurs once.

    They refer to each other by label (the qualified name). So circular references are possible, and neither the order
    of definitions nor the name of the file counts.
    """

    def __init__(self) -> None:
        self.labels: dict[int, str] = {}
        self.kept: list[Any] = []  # keeps objects with a label alive, so no other object gets the same id
        self.waiting: deque[Any] = deque()
        self.parts: dict[str, Any] = {}
        self.inside: list[int] = []  # the objects that are being described

    def digest(self, things: tuple[Any, ...]) -> str:
        whole = [self.value(thing, "what is to be compared") for thing in things]
        while self.waiting:
            thing = self.waiting.popleft()
            self.parts[self.labels[id(thing)]] = self.part(thing)
        return digest([whole, self.parts])

    def label(self, thing: Any) -> list[str]:
        if id(thing) not in self.labels:
            name = getattr(thing, "__qualname__", "module")
            count = sum(known.partition("#")[0] == name for known in self.labels.values())
            self.labels[id(thing)] = f"{name}#{count}" if count else name
            self.kept.append(thing)
            self.waiting.append(thing)
        return ["own", self.labels[id(thing)]]

    # ---- code ----------------------------------------------------------------------------------

    def part(self, thing: Any) -> dict[str, Any]:
        if isinstance(thing, FunctionType):
            return self.of_function(thing)
        return self.of_class(thing) if isinstance(thing, type) else self.of_module(thing)

    def of_function(self, function: FunctionType) -> dict[str, Any]:
        code, where, changed = function.__code__, function.__qualname__, names_mutated(function.__code__)
        closure = {n: _content(cell) for n, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)}
        given = function.__defaults__ or ()
        last = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
        inside = {**closure, **dict(zip(last, given, strict=True)), **(function.__kwdefaults__ or {})}
        return {
            "text": function_text(code),
            "inside": {n: self.value(v, f"'{n}' in {where}") for n, v in inside.items() if n not in changed},
            "globals": {n: self.value(v, f"'{n}', which {where} uses,") for n, v in _globals_used(function)},
        }

    def of_class(self, cls: type) -> dict[str, Any]:
        changed = _attributes_changed(cls)
        found = {n: v for n, v in sorted(vars(cls).items()) if n not in changed and _counts(cls, n, v)}
        if issubclass(cls, BaseModel):
            private = {n: p.default_factory or p.default for n, p in cls.__private_attributes__.items()}
            found |= {n: private[n] for n in sorted(private)}
        return {
            "bases": [self.value(base, f"a base of {cls.__qualname__}") for base in cls.__bases__],
            "attributes": {n: self.value(v, f"{cls.__qualname__}.{n}") for n, v in found.items()},
        }

    def of_module(self, module: ModuleType) -> dict[str, Any]:
        """A module that is used as a whole: everything that it defines."""
        found = {n: v for n, v in sorted(vars(module).items()) if not n.startswith("__")}
        return {n: self.value(v, f"{module.__name__}.{n}") for n, v in found.items() if not isinstance(v, ModuleType)}

    # ---- values --------------------------------------------------------------------------------

    def value(self, value: Any, where: str) -> Any:
        """A value as JSON.

        Args:
            value: anything.
            where: the beginning of the sentence about a value that cannot be described.
        """
        if value is None or isinstance(value, bool) or type(value) in (int, str):
            return value
        if type(value) in (float, complex, bytes, range, slice, type(...), type(NotImplemented)):
            return [type(value).__name__, repr(value)]
        if id(value) in self.inside:
            return ["circle", len(self.inside) - self.inside.index(id(value))]
        self.inside.append(id(value))
        try:
            if isinstance(value, type | ModuleType | FunctionType):
                return self._code(value, where)
            return self._callable(value, where) or self._data(value, where) or self._object(value, where)
        finally:
            self.inside.pop()

    def _code(self, value: Any, where: str) -> Any:
        """A function, class or module: by label if it is the user's own, else by name."""
        home = value.__name__ if isinstance(value, ModuleType) else home_of(value)
        if is_own(home):
            return self.label(value)
        if isinstance(value, ModuleType):
            return ["library", home]
        name = value.__code__.co_qualname if isinstance(value, FunctionType) else value.__qualname__
        found = ["kit", name, getattr(value, "version", 1)] if is_of_kit(home) else ["library", home, name]
        if not isinstance(value, FunctionType):
            return found
        if hasattr(value, "__wrapped__"):  # a library's decorator around the user's own function
            return [*found, self.value(value.__wrapped__, where)]
        return [*found, *(self.value(_content(cell), where) for cell in value.__closure__ or ())]

    def _callable(self, value: Any, where: str) -> Any:
        """Bound methods, and objects made of a function (cached or static functions, properties); None for others."""
        if isinstance(value, MethodType):
            return ["method", self.value(value.__func__, where), self.value(value.__self__, where)]
        if isinstance(value, property):
            return ["property", self.value(value.fget, where), self.value(value.fset, where)]
        if (function := _inner(value)) is not None:
            return [type(value).__name__, self.value(function, where)]
        if inspect.isroutine(value):
            of: Any = getattr(value, "__self__", None)  # for `table.get`, the table
            held = [self.value(of, where)] if type(of) in (str, bytes, dict, list, set, frozenset, tuple) else []
            return ["library", str(value.__module__), value.__qualname__, *held]
        return None

    def _data(self, value: Any, where: str) -> Any:
        """Containers, arrays, patterns, paths and settings; None for others."""
        kind = type(value)
        if kind in (tuple, list):
            return [kind.__name__, *(self.value(v, where) for v in value)]
        if kind is dict:
            return ["dict", *([self.value(k, where), self.value(v, where)] for k, v in value.items())]
        if kind in (set, frozenset):
            return ["set", *sorted(json.dumps(self.value(v, where), sort_keys=True) for v in value)]
        if (array := as_array(value)) is not None:
            kind_of, data = str(value.dtype), hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
            return ["array", kind_of, list(value.shape), data]
        if kind is np.ndarray:
            return ["array", "object", list(value.shape), *(self.value(v, where) for v in value.ravel().tolist())]
        if isinstance(value, re.Pattern):
            return ["pattern", self.value(value.pattern, where), value.flags]
        if isinstance(value, Path):  # without its folder
            return ["path", contents(value) if value.is_file() else value.name]
        if isinstance(value, BaseModel):
            skipped = getattr(value, "not_in_identity", ())
            names = sorted(type(value).model_fields.keys() - {*skipped})
            files = value.file_checksums() if hasattr(value, "file_checksums") else {}
            fields = {n: self.value(getattr(value, n), f"{where} (its {n})") for n in names}
            return ["settings", self.value(kind, where), fields, files]
        return None

    def _object(self, value: Any, where: str) -> Any:
        """An object by its class and its state, as in pickle."""
        kind = type(value)
        try:
            made_by, state = state_of(value)
        except NotComparable as error:
            raise KitError(f"{where} is {error}") from None
        if is_own(kind.__module__) and state and isinstance(state[-1], dict):
            changed = _attributes_changed(kind)
            state = [*state[:-1], {n: v for n, v in state[-1].items() if n not in changed}]
        return ["object", self.value(made_by, where), *(self.value(part, where) for part in state)]


def _globals_used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals and imports that a function uses, by name; of the user's own modules only what it uses of them.

    Globals that functions change when they run, such as a dict used as a cache, are left out.
    """
    code, space = function.__code__, function.__globals__
    changed = globals_changed(code)
    for path in names_used(code):
        if path[0] in space and path[0] not in changed and not path[0].startswith("__"):
            used, value = path[:1], space[path[0]]
            while isinstance(value, ModuleType) and is_own(value.__name__) and len(used) < len(path):
                used = path[: len(used) + 1]
                value = _attribute(value, used[-1])
            yield ".".join(used), value
    for name, level, taken in imports_inside(code):
        if (module := imported("." * level + name, str(space.get("__package__") or ""))) is not None:
            yield from ((f"{name}.{one}", _attribute(module, one)) for one in taken)
            if not taken:
                yield name, module


def _attribute(module: ModuleType, name: str) -> Any:
    return getattr(module, name) if hasattr(module, name) else imported(f"{module.__name__}.{name}")


def _inner(value: Any) -> Any:
    """The function inside a static, cached or numba-compiled function; else None."""
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    if isinstance(value, functools.cached_property):
        return value.func
    holds = getattr(value, "__dict__", {})
    return holds.get("__wrapped__", holds.get("py_func")) if callable(value) else None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell
        return None


def _counts(cls: type, name: str, value: Any) -> bool:
    """Whether an attribute of a class was written by the user and can change a result."""
    if name.startswith("__"):
        function = inspect.unwrap(value) if isinstance(value, FunctionType) else getattr(value, "__func__", None)
        return isinstance(function, FunctionType) and is_own(home_of(function))
    if name == "_abc_impl" or inspect.ismemberdescriptor(value) or inspect.isgetsetdescriptor(value):
        return False
    return not (issubclass(cls, BaseModel) and name.startswith("model_"))


def _attributes_changed(cls: type) -> set[str]:
    functions = [getattr(value, "__func__", getattr(value, "fget", value)) for value in vars(cls).values()]
    return {n for f in functions if isinstance(f, FunctionType) for n in attributes_changed(f.__code__)}

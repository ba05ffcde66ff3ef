"""Names in the code of a function: names that it reads, imports or changes."""

import ast
import dis
from collections.abc import Iterator
from functools import cache, lru_cache
from types import CodeType

from kit.core.function_text import function_node, nested_codes, source_text, tree_of

BUILDING = ("__init__", "__new__", "__post_init__", "__setstate__")  # methods that create an object
MUTATING = ("append", "appendleft", "add", "update", "setdefault", "pop", "popitem", "popleft", "extend", "insert",
            "clear", "remove", "discard")  # fmt: skip
FILLERS = ("NOP", "PUSH_NULL", "PRECALL", "EXTENDED_ARG")  # instructions that are not relevant here


@cache
def names_used(code: CodeType) -> tuple[tuple[str, ...], ...]:
    """The global names that a function reads, each with the attributes that it reads of it: ("np", "mean")."""
    found: set[tuple[str, ...]] = set()
    for part in nested_codes(code):
        steps = _steps(part)
        for at, step in enumerate(steps):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                rest = steps[at + 1 :]
                end = next((i for i, s in enumerate(rest) if s.opname not in ("LOAD_ATTR", "LOAD_METHOD")), len(rest))
                found.add((step.argval, *(s.argval for s in rest[:end])))
    return tuple(sorted(found))


@cache
def imports_inside(code: CodeType) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    """Imports inside a function: (module, number of leading dots, imported names; none: the module itself)."""
    found = set()
    for part in nested_codes(code):
        steps = _steps(part)
        for at, step in enumerate(steps):
            if step.opname == "IMPORT_NAME":
                level, names = steps[at - 2].argval, steps[at - 1].argval
                found.add((step.argval, level, tuple(names or ())))
    return tuple(sorted(found))


@cache
def names_mutated(code: CodeType) -> frozenset[str]:
    """Names whose values a function changes in place: local names, names of a closure, or globals."""
    node = function_node(code)
    return frozenset(_mutated(node, attributes=False) if node is not None else ())


def globals_changed(code: CodeType) -> frozenset[str]:
    """Globals that functions of the same file change when they run, such as a dict used as a cache."""
    return _changed(source_text(code))[0]


def attributes_changed(code: CodeType) -> frozenset[str]:
    """Attributes that functions of the same file change when they run, except in methods that create an object."""
    return _changed(source_text(code))[1]


@lru_cache(maxsize=64)
def _changed(text: str) -> tuple[frozenset[str], frozenset[str]]:
    names, attributes = set[str](), set[str]()
    for node in ast.walk(tree_of(text) or ast.Module([], [])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            parts = list(ast.walk(node))
            shared = {name for part in parts if isinstance(part, ast.Global) for name in part.names}
            own = {part.arg for part in parts if isinstance(part, ast.arg)}
            own |= {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
            names |= shared | {name for name in _mutated(node, attributes=False) if name not in own - shared}
            if getattr(node, "name", "") not in BUILDING:
                attributes |= set(_mutated(node, attributes=True))
    return frozenset(names), frozenset(attributes)


def _mutated(node: ast.AST, attributes: bool) -> Iterator[str]:
    """Names or attributes whose values are changed in place, and attributes that are set."""
    for part in ast.walk(node):
        target: ast.expr | None = None
        if isinstance(part, ast.Subscript) and not isinstance(part.ctx, ast.Load):
            target = part.value
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in MUTATING:
            target = part.func.value
        elif attributes and isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load):
            target = part
        if attributes and isinstance(target, ast.Attribute):
            yield target.attr
        elif not attributes and isinstance(target, ast.Name):
            yield target.id


def _steps(code: CodeType) -> list[dis.Instruction]:
    return [step for step in dis.get_instructions(code) if step.opname not in FILLERS]

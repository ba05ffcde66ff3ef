"""Tests stand where what they test stands, share helpers in one place, and go through public names and by no clock."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.helpers.house import ROOT

HOUSE = sorted([*ROOT.glob("kit/**/*.py"), *ROOT.glob("competitions/**/*.py")])
TESTS = sorted(ROOT.glob("tests/**/*.py"))
CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "thread_time"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_tests_mirror_the_house() -> None:
    folders = {name_of(path.parent).removeprefix("tests").removeprefix("/") for path in TESTS}
    rooms = {name_of(path.parent).removeprefix("kit").removeprefix("/") for path in HOUSE}  # competitions as they are
    assert folders - rooms <= {"helpers", "competitions", "faults"}


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_helpers_stand_in_one_place(path: Path) -> None:
    # faults/ is the drills that `make soak` runs for hours, and their tests
    helper = path.parent.name in ("helpers", "faults") or path.name in ("__init__.py", "conftest.py")
    assert helper or path.name.startswith("test_"), "a helper of tests belongs in tests/helpers"
    if path.parent.name not in ("helpers", "faults"):
        borrowed = {
            f"{name_of(path)}: {node.module}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and re.match(r"tests\.(?!helpers)", node.module or "")
        }
        assert borrowed == set(), "what two test files need belongs in tests/helpers"


def privates(trees: Iterable[ast.Module]) -> set[str]:
    """Private names that are defined there: of functions, classes, variables and attributes."""
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            found.add(node.attr)
    return {name for name in found if re.fullmatch(r"_[^_]\w*[^_]|_[^_]", name)}


PRIVATE = privates(ast.parse(path.read_text(encoding="utf-8")) for path in HOUSE)


def reaches(tree: ast.Module, private: set[str]) -> set[str]:
    """Private names of kit that a test file imports, takes as an attribute or replaces; and clocks that it asserts by."""
    found, own = set(), {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names if alias.name in private}
        elif isinstance(node, ast.Attribute) and node.attr in private - own:
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                found.add(node.attr)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            words = [
                arg.value.rpartition(".")[2]
                for arg in node.args[:2]
                if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            found |= private & set(words)
        elif isinstance(node, ast.FunctionDef):
            found |= timed(node)
    return found


def timed(function: ast.FunctionDef) -> set[str]:
    """The clocks that a function asserts by, directly or by a variable that was read from one."""

    def reads(node: ast.AST) -> bool:
        return any(
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and ast.unparse(part.func.value) == "time"
            and part.func.attr in CLOCKS
            for part in ast.walk(node)
        )

    read = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and reads(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    read |= {
        ast.unparse(node.func.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "append"
        and reads(node)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and (
            reads(node) or any(isinstance(part, ast.Name) and part.id in read for part in ast.walk(node))
        ):
            return {"a clock"}
    return set()


@pytest.mark.parametrize("path", [p for p in TESTS if p.parent.name != "helpers"], ids=name_of)
def test_tests_go_through_public_names_and_by_no_clock(path: Path) -> None:
    found = reaches(ast.parse(path.read_text(encoding="utf-8")), PRIVATE)
    assert set(found) == set(), "test through public names, and count steps instead of seconds"


@pytest.mark.parametrize(
    "source, found",
    [
        ("from kit.x import _f", {"_f"}),
        ("from kit import x\nx.y._f(1)", {"_f"}),
        ("def test(monkeypatch):\n    monkeypatch.setattr('kit.x._f', None)", {"_f"}),
        ("def test(monkeypatch):\n    monkeypatch.setattr(x, '_f', None)", {"_f"}),
        ("class A:\n    def g(self):\n        return self._f", set()),
        ("import os\nos._exit(1)", set()),
        ("def test():\n    a = time.monotonic()\n    b = 1\n    assert time.monotonic() - a < 2", {"a clock"}),
        ("def test():\n    t = []\n    t.append(time.perf_counter() - 1)\n    assert min(t) < 2", {"a clock"}),
        ("def test():\n    a = time.time()\n    b = 1\n    assert b", set()),
    ],
)  # fmt: skip
def test_a_planted_reach_is_found(source: str, found: set[str]) -> None:
    assert reaches(ast.parse(source), {"_f"}) == found

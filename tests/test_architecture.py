"""The house holds what DESIGN.md says of it: imports point down, without circles; files are short; what is public is
described; no name means two things."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.house import ROOT
from tests.helpers.imports import Graph, Imports, circles, siblings

FILES = sorted([*ROOT.glob("kit/**/*.py"), *ROOT.glob("competitions/**/*.py")])
IMPORTS = Imports(ROOT, ("kit", "competitions"))

# The floors of the house from below: a room imports from its own floor and those below. A room is a module or a folder
# of kit; a single module of a room may stand on another floor than the rest of it.
FLOORS = [
    "core",
    "metrics schema",
    "task source",
    "rows folds guess reading images sides",
    "table weights",
    "features tables text losses layers augment",
    "models train pretrain tta",
    "ensemble submit",
    "member",
    "members",
    "recipe",
    "run",
    "evidence tune",
    "report testing",
    "session",
    "cli",
    "__main__ competitions",
]
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms.split()}
TENSORS = {"losses", "layers", "models", "train"}  # know tensors, not tasks, paths to data, or the bank


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room(module: str) -> str | None:
    """The room of a module, or the module itself where it has a floor of its own; None for the list of a package."""
    parts = module.split(".")
    if parts[0] == "competitions":
        return "competitions"
    inside = ".".join(parts[1:])
    return None if not inside else inside if inside in FLOOR else parts[1]


# ---- imports -------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", IMPORTS.graph)
def test_imports_point_down(module: str) -> None:
    here = room(module)
    if here is None:
        return
    assert here in FLOOR, f"'{here}' is on no floor of {Path(__file__).name}; give it one"
    for other in sorted(IMPORTS.graph[module]):
        there = room(other)
        assert there is not None, f"{module} imports {other} as a whole, which lists every room"
        assert FLOOR[there] <= FLOOR[here], f"{module} imports {other}, which lies above {here}"
        if here in TENSORS:
            assert there in TENSORS | {"core", "augment"}, f"{module} knows tensors and imports {other}"


def found_circles(graph: Graph, packages: list[str]) -> list[str]:
    """The circles between modules, and those between what lies in one folder: its modules and folders."""
    between = [circle for package in ("", *packages) for circle in circles(siblings(graph, package))]
    return sorted({" ↔ ".join(circle) for circle in (*circles(graph), *between)})


PACKAGES = [name for name in IMPORTS.paths if IMPORTS.is_package(name)]


def test_no_imports_go_in_a_circle() -> None:
    assert found_circles(IMPORTS.graph, PACKAGES) == []


def planted(root: Path, files: dict[str, str]) -> tuple[Imports, list[str]]:
    """Modules of a package `p`, by name, and the circles among them."""
    for name, source in (
        {"p": ""} | {name: "" for name in PLANTED_PACKAGES if any(f.startswith(name) for f in files)} | files
    ).items():
        place = root / name.replace(".", "/")
        path = place / "__init__.py" if name in PLANTED_PACKAGES else place.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    made = Imports(root, ["p"])
    return made, found_circles(made.graph, [name for name in made.paths if made.is_package(name)])


PLANTED_PACKAGES = ("p", "p.q", "p.q.down")


@pytest.mark.parametrize(
    "back",
    [
        "from p.a import f",
        "import p.a",
        "import p.a as other",
        "from p import a",
        "from .a import f",
        "from . import a",
        "def g():\n    from p.a import f",
        "def g():\n    import p.a\n    return p.a.f",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.a import f",
        "a = later('p.a')",
        "import importlib\na = importlib.import_module('p.a')",
        "from importlib import import_module\ndef g(x):\n    return import_module(f'p.{x}')",
    ],
)
def test_a_planted_circle_is_found(back: str, tmp_path: Path) -> None:
    _, found = planted(tmp_path, {"p.a": "from p.b import g\nf = 1", "p.b": back})
    assert any({"p.a", "p.b"} <= set(circle.split(" ↔ ")) for circle in found)


def test_a_circle_through_a_package_is_found(tmp_path: Path) -> None:
    files = {
        "p.q": "from p.q.low import low\nfrom p.q.high import high",
        "p.q.low": "from p.other import other\nlow = 1",
        "p.q.high": "high = 1",
    }
    _, found = planted(tmp_path, files | {"p.other": "from p.q import low\nother = 1"})
    assert "p.other ↔ p.q.low" in found
    made, found = planted(tmp_path, files | {"p.other": "import p.q\nother = 1"})  # imports all that the package lists
    assert "p.other ↔ p.q ↔ p.q.low" in found
    made, found = planted(tmp_path, files | {"p.other": "from p.q import high\nother = 1"})
    assert circles(made.graph) == [] and found == ["p.other ↔ p.q"]  # no circle of modules, but one of rooms


def test_a_lazy_list_leads_to_what_it_lists(tmp_path: Path) -> None:
    files = {
        "p.q": "from typing import TYPE_CHECKING\nfrom kit.core.lazy import lazy\nif TYPE_CHECKING:\n"
        "    from p.q.low import low\n    from p.q.down.deep import deep\n__getattr__ = lazy(__name__, __file__)",
        "p.q.low": "from p.q import deep\nlow = 1",
        "p.q.down.deep": "deep = 1",
    }
    made, found = planted(tmp_path, files | {"p.other": "import p.q"})
    assert found == [] and made.graph["p.other"] == {"p.q"} and made.graph["p.q"] == {"p.q.low", "p.q.down.deep"}
    _, found = planted(tmp_path, files | {"p.q.low": "import p.q\nlow = 1"})
    assert found == ["p.q ↔ p.q.low"]


def test_a_package_that_lists_its_modules_is_no_circle(tmp_path: Path) -> None:
    files = {
        "p.q": "from p.q.base import Base\nfrom p.q.kind import Kind\n__version__ = '1'",
        "p.q.base": "Base = 1",
        "p.q.kind": "from p.q import Base, __version__\nfrom p.q.base import Base as B\nKind = 2",
        "p.user": "from p.q import Kind",
    }
    made, found = planted(tmp_path, files)
    assert found == [] and made.graph["p.user"] == {"p.q.kind"} and made.graph["p.q.kind"] == {"p.q.base"}


def test_circles_are_those_of_the_naive_search() -> None:
    graph: Graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a", "e"}, "g": set()}

    def reached(start: str) -> set[str]:
        seen, todo = set[str](), [start]
        while todo:
            todo += [other for other in graph[todo.pop()] if other not in seen and not seen.add(other)]  # type: ignore[func-returns-value]
        return seen

    naive = {tuple(sorted(b for b in graph if b in reached(a) and a in reached(b))) for a in graph}
    assert circles(graph) == sorted(naive - {()}) == [("a", "b", "c"), ("d", "e")]


# ---- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 320  # a file this long holds a second idea


def test_this_test_sees_what_it_should() -> None:
    assert len(FILES) > 40 and {"kit/core/spec.py", "competitions/toxic/recipe.py"} <= set(map(name_of, FILES))
    assert "kit.core.spec" in IMPORTS.graph["kit.table"] and len(IMPORTS.graph) == len(FILES)


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=name_of)
def test_packages_only_list_what_they_offer(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        names = [ast.unparse(t) for t in node.targets] if isinstance(node, ast.Assign) else []
        listed = names in (["__all__"], ["__getattr__"], ["__dir__"], ["__version__"])
        assert docstring or typing_only or listed or isinstance(node, ast.Import | ast.ImportFrom), ast.unparse(node)


# ---- names ---------------------------------------------------------------------------------------

Node = ast.FunctionDef | ast.ClassDef


@pytest.mark.parametrize("path", [p for p in FILES if "kit" in p.relative_to(ROOT).parts], ids=name_of)
def test_what_is_public_is_described(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{name_of(path)} says not what it is"
    for owner, node in public(tree):
        # what overrides or is a plain property of a described class speaks for itself
        if isinstance(owner, ast.ClassDef) and (owner.bases or len(node.body) == 1):
            continue
        assert ast.get_docstring(node), f"{name_of(path)}:{node.lineno}: '{node.name}' has no docstring"


def public(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[ast.Module | ast.ClassDef, Node]]:
    for node in tree.body:
        if isinstance(node, Node) and not node.name.startswith("_"):
            yield tree, node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def defined() -> dict[str, list[str]]:
    """Public class or type alias → the modules that define it."""
    found = defaultdict(list)
    for module, tree in IMPORTS.trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module)
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z]\w*[a-z]\w*", target.id):
                    found[target.id].append(module)
    # every competition may name its own what it likes, but none of kit's names
    for name, modules in found.items():
        ours = [module for module in modules if module.startswith("kit.")]
        found[name] = [*ours, *[m for m in modules if m not in ours][:1]] if ours else modules[:1]
    return found


def test_no_name_means_two_things() -> None:
    twice = {name: modules for name, modules in defined().items() if len(modules) > 1 and not name.startswith("_")}
    assert twice == {}

"""The house holds what DESIGN.md says of it: imports point down, files are short, what is public is described."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted([*ROOT.glob("kit/**/*.py"), *ROOT.glob("competitions/**/*.py")])

# From the ground up; a room imports from its own layer and those below. A room is a module or a folder of kit.
LAYERS = [
    "errors spec files lazy threads processes memory medals",
    "metrics duplicates folds holdout source data table weights intervals bootstrap",
    "features text losses layers augment",
    "models train pretrain tta",
    "ensemble submit",
    "member",
    "members",
    "recipe",
    "bank execute",
    "run",
    "cv blending tune variants gains",
    "report track kernel testing compare ablate curves ledger",
    "cli",
    "__main__ competitions",
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms.split()}
TENSORS = {"losses", "layers", "models", "train"}  # know tensors, not tasks, paths to data, or the bank


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room(path: Path) -> str | None:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "competitions":
        return "competitions"
    return None if parts == ("kit", "__init__.py") else parts[1].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Rooms of kit that are imported anywhere, also inside functions."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            names = [f"kit.{a.name}" for a in node.names] if node.module == "kit" else [node.module or ""]
        for name in names:
            if name.startswith("kit."):
                yield name.split(".")[1]
            elif name.split(".")[0] == "competitions":
                yield "competitions"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    if here is None:
        return
    assert here in LEVEL, f"'{here}' is in no layer of {Path(__file__).name}; give it one"
    for other in imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert LEVEL[other] <= LEVEL[here], f"{name_of(path)} imports {other}, which lies above {here}"
        if here in TENSORS:
            assert other in TENSORS | {"spec", "files", "lazy", "augment"}, (
                f"{name_of(path)} knows tensors and imports {other}"
            )


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_this_test_sees_what_it_should() -> None:
    assert len(FILES) > 40 and {"kit/spec.py", "competitions/toxic/recipe.py"} <= set(map(name_of, FILES))
    found = set(imports(ast.parse("def f():\n    from kit.cv import todo\nimport kit.run, os\nfrom kit import bank")))
    assert found == {"run", "bank", "cv"}


@pytest.mark.parametrize("path", [p for p in FILES if room(p) not in (None, "competitions")], ids=name_of)
def test_what_is_public_is_described(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{name_of(path)} says not what it is"
    for owner, node in public(tree):
        # what overrides or is a plain property of a described class speaks for itself
        if isinstance(owner, ast.ClassDef) and (owner.bases or len(node.body) == 1):
            continue
        where = f"{name_of(path)}:{node.lineno}"
        assert ast.get_docstring(node), f"{where}: '{node.name}' has no docstring"


Node = ast.FunctionDef | ast.ClassDef


def public(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[ast.Module | ast.ClassDef, Node]]:
    for node in tree.body:
        if isinstance(node, Node) and not node.name.startswith("_"):
            yield tree, node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def short(node: Node) -> bool:
    """A function of at most three statements whose name and annotations say it all."""
    return isinstance(node, ast.FunctionDef) and len(node.body) <= 3 and node.returns is not None


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=name_of)
def test_packages_only_list_what_they_offer(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        names = [ast.unparse(t) for t in node.targets] if isinstance(node, ast.Assign) else []
        listed = names in (["__all__"], ["__getattr__"], ["__version__"])
        assert docstring or typing_only or listed or isinstance(node, ast.Import | ast.ImportFrom), ast.unparse(node)

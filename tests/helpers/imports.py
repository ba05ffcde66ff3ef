"""Who imports whom, read from the source: what the tests of the house and the picture of it (docs/architecture.py) use.

Every import counts: at the top of a file, inside a function, under `TYPE_CHECKING`, in `later("…")` and
`import_module("…")`. A name that a package only lists (`from kit.members import Linear`) counts as an import of the
module that defines it, so a package that lists its own modules is no circle. Who imports the package itself
(`import kit.members`) imports all that its `__init__` imports, so a real circle through a package is found.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

Graph = dict[str, set[str]]


class Imports:
    """Modules of packages below one folder, and the imports among them.

    Args:
        root: the folder that holds the packages.
        packages: their names.
    """

    def __init__(self, root: Path, packages: Iterable[str]) -> None:
        self.paths: dict[str, Path] = {}
        for package in packages:
            for path in sorted(root.glob(f"{package}/**/*.py")):
                parts = path.relative_to(root).with_suffix("").parts
                self.paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        self.trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.paths.items()}

    def is_package(self, name: str) -> bool:
        """Whether a module is a folder's `__init__`."""
        return name in self.paths and self.paths[name].name == "__init__.py"

    @cached_property
    def graph(self) -> Graph:
        """Module → modules that it imports."""
        return {name: set(self.imported(name)) - {name} for name in self.trees}

    def imported(self, module: str) -> Iterator[str]:
        """Modules of these packages that a module imports, with repeats."""
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                yield from (found for alias in node.names if (found := self._nearest(alias.name)))
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if found := self.definer(self._base(module, node), alias.name):
                        yield found
            elif isinstance(node, ast.Call):
                yield from self._in_words(module, node)

    def definer(self, base: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> str | None:
        """The module that `from base import name` comes down to; None for what is not of these packages."""
        if f"{base}.{name}" in self.paths:
            return f"{base}.{name}"
        if not self.is_package(base):
            return self._nearest(base)
        if name in self._own.get(base, ()):
            return None
        listed = self._listed.get(base, {}).get(name)
        if listed is None or listed in seen:
            return base
        return self.definer(*listed, seen | {listed})

    @cached_property
    def _own(self) -> dict[str, set[str]]:
        """Package → constants that its `__init__` itself defines, such as `__version__`: they need no other module."""
        return {
            package: {t.id for n in self.trees[package].body if isinstance(n, ast.Assign) for t in n.targets
                      if isinstance(t, ast.Name)} - {"__getattr__"}
            for package in filter(self.is_package, self.paths)
        }  # fmt: skip

    @cached_property
    def _listed(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Package → name that it lists → (module it comes from, name there)."""
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for package in filter(self.is_package, self.paths):
            names = found[package] = {}
            for node in ast.walk(self.trees[package]):
                if isinstance(node, ast.ImportFrom):
                    names |= {a.asname or a.name: (self._base(package, node), a.name) for a in node.names}
        return found

    def _base(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = module.split(".") if self.is_package(module) else module.split(".")[:-1]
        return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])

    def _nearest(self, name: str) -> str | None:
        """The module itself, or the one that holds the attribute of this dotted name."""
        while name and name not in self.paths:
            name = name.rpartition(".")[0]
        return name or None

    def _in_words(self, module: str, node: ast.Call) -> Iterator[str]:
        """Modules that a call names by a string, whole or by how it begins: `import_module(f"kit.x.to_{name}")`."""
        if _called(node) in ("import_module", "later", "__import__") and node.args:
            (first, *_), whole = node.args, True
            if isinstance(first, ast.JoinedStr) and first.values:
                first, whole = first.values[0], False
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                start = first.value
                if whole and (found := self._nearest(start)):
                    yield found
                elif not whole and start.startswith(module.split(".")[0] + "."):  # of another package: a recipe's name
                    yield from (name for name in self.paths if name.startswith(start))


def _called(node: ast.AST) -> str:
    """The last name of what is called; empty for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def circles(graph: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Groups of nodes each of which leads to all others of its group, sorted (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1 or node in graph.get(node, ()):
                found.append(tuple(sorted(group)))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(found)


def siblings(graph: Graph, folder: str) -> Graph:
    """The same imports between what lies directly in a package: its modules, and its folders taken whole."""
    inside: Graph = {}
    depth = folder.count(".") + 2 if folder else 1

    def child(name: str) -> str | None:
        if folder and not name.startswith(f"{folder}."):
            return None
        return ".".join(name.split(".")[:depth])

    for name, others in graph.items():
        if (here := child(name)) is not None:
            inside.setdefault(here, set()).update(
                there for other in others if (there := child(other)) not in (None, here)
            )
    return inside

"""Draws the picture of the house from its imports, docs/architecture.svg, and the table of docs/architecture.md.

    PYTHONPATH=. python docs/architecture.py

tests/test_architecture_page.py fails where one of the two is not what the imports say now.
"""

import ast
import re
from html import escape
from pathlib import Path

from tests.helpers.imports import Graph, Imports

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- rooms: written by docs/architecture.py -->\n", "<!-- end of rooms -->\n"
BOX, GAP, ROW, WIDTH = (96, 28), 16, 64, 800  # size of a box, space between two, distance of two floors
STYLE = """
text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1f2630 }
rect { fill: #ffffff; stroke: #8a96a5 } path { fill: none; stroke: #a9b4c0; stroke-width: 1.1 }
a:hover rect { stroke: #2a6db0; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e4e8ee } rect { fill: #161b22; stroke: #66707d } path { stroke: #566270 }
}
"""


def rooms(graph: Graph) -> Graph:
    """Room → the rooms that it imports: folders and modules directly in kit, and the competitions."""

    def room(module: str) -> str:
        parts = module.split(".")
        return "competitions" if parts[0] == "competitions" else parts[1] if len(parts) > 1 else "kit"

    found: Graph = {}
    for module, others in graph.items():
        found.setdefault(room(module), set()).update(room(other) for other in others)
    return {name: others - {name} for name, others in found.items() if name not in ("kit", "__main__")}


def floors(graph: Graph) -> list[list[str]]:
    """Rooms by the longest way up to a room that nothing imports, the lowest first: each close to its users."""
    users = {name: {other for other in graph if name in graph[other]} for name in graph}
    depth: dict[str, int] = {}

    def below(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((below(other) for other in users[name]), default=-1)
        return depth[name]

    for name in graph:
        below(name)
    return [sorted(name for name in graph if depth[name] == at) for at in range(max(depth.values()), -1, -1)]


def direct(graph: Graph) -> Graph:
    """The imports that no longer way implies: cli → run → core needs no arrow cli → core."""

    def below(name: str) -> set[str]:
        return set().union(*({other} | below(other) for other in graph[name]), set())

    return {name: others - set().union(*(below(other) for other in others), set()) for name, others in graph.items()}


def picture(graph: Graph) -> str:
    """The rooms as an SVG file: a row for each floor, a line for each direct import."""
    rows, lines = floors(graph), direct(graph)
    width = max(WIDTH, max(len(row) for row in rows) * (BOX[0] + GAP))
    height = len(rows) * ROW - (ROW - BOX[1]) + 2 * GAP
    x: dict[str, float] = {}
    for row in rows:  # from below: a room stands above the middle of what it imports, each row over the whole width
        middle = {
            name: round(sum(sorted(x[other] for other in lines[name])) / max(len(lines[name]), 1), 3) for name in row
        }
        ordered = sorted(row, key=lambda name: (middle[name], name))
        x |= {name: (place + 0.5) * width / len(row) for place, name in enumerate(ordered)}
    y = {name: height - GAP - BOX[1] - at * ROW for at, row in enumerate(rows) for name in row}
    drawn = [
        f'<path d="M{x[name]:.0f} {y[name] + BOX[1]} C{x[name]:.0f} {y[name] + BOX[1] + ROW / 2:.0f} '
        f'{x[other]:.0f} {y[other] - ROW / 2:.0f} {x[other]:.0f} {y[other]}"/>'
        for name in sorted(lines)
        for other in sorted(lines[name])
    ]
    for name in sorted(graph):
        imported = ", ".join(sorted(graph[name])) or "nothing"
        drawn.append(
            f"<a><title>{escape(name)} imports {escape(imported)}</title>"
            f'<rect x="{x[name] - BOX[0] / 2:.0f}" y="{y[name]}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
            f'<text x="{x[name]:.0f}" y="{y[name] + 20}">{escape(name)}</text></a>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="The rooms of kit; each imports only rooms below it">\n<style>{STYLE}</style>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def table(imports: Imports, graph: Graph) -> str:
    """The rooms from above, with the first sentence of each and what it imports."""
    lines = ["| room | what it is | imports |", "|---|---|---|"]
    for row in reversed(floors(graph)):
        for name in row:
            tree = imports.trees["competitions.toxic" if name == "competitions" else f"kit.{name}"]
            said = "the competitions: each a recipe, its story, a sample and what serves it alone"
            if name != "competitions":
                said = re.split(r"(?<=\.)\s", (ast.get_docstring(tree) or "").replace("\n", " "))[0].rstrip(".")
            lines.append(f"| `{name}` | {said} | {', '.join(sorted(graph[name])) or 'nothing'} |")
    return "\n".join(lines) + "\n"


def page(text: str, rows: str) -> str:
    """The text of architecture.md with this table in its place."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + rows + END + rest.partition(END)[2]


if __name__ == "__main__":
    found = Imports(ROOT, ("kit", "competitions"))
    house = rooms(found.graph)
    (ROOT / "docs/architecture.svg").write_text(picture(house), encoding="utf-8")
    markdown = ROOT / "docs/architecture.md"
    markdown.write_text(page(markdown.read_text(encoding="utf-8"), table(found, house)), encoding="utf-8")

"""docs/architecture.md: the picture and the table are what the imports say; both ways are short, their stops exist."""

import ast
import importlib.util
import re
from types import ModuleType
from typing import Any

import pytest

from tests.helpers.house import ROOT
from tests.helpers.imports import Imports

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
Stop = tuple[str, str]  # file, function


def way(title: str) -> list[Stop]:
    """The stops of one of the page's ways."""
    part = PAGE.split(f"## The way of {title}")[1].split("\n## ")[0]
    return re.findall(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \|", part, re.MULTILINE)


ROW, SETTING = way("a row"), way("a setting")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs/architecture.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_picture_and_table_are_what_the_imports_say(script: ModuleType) -> None:
    imports = Imports(ROOT, ("kit", "competitions"))
    rooms = script.rooms(imports.graph)
    again = "PYTHONPATH=. python docs/architecture.py draws it"
    assert (ROOT / "docs/architecture.svg").read_text(encoding="utf-8") == script.picture(rooms), again
    assert script.page(PAGE, script.table(imports, rooms)) == PAGE, again


def test_the_picture_is_drawn_from_the_imports(script: ModuleType) -> None:
    rooms = script.rooms({
        "kit": {"kit.top.a"}, "kit.top.a": {"kit.middle", "kit.low.x"}, "kit.middle": {"kit.low.x", "kit.low.y"},
        "kit.low.x": {"kit.low.y"}, "kit.low.y": set(), "competitions.mine.recipe": {"kit.middle"},
    })  # fmt: skip
    assert rooms == {"top": {"middle", "low"}, "middle": {"low"}, "low": set(), "competitions": {"middle"}}
    assert script.floors(rooms) == [["low"], ["middle"], ["competitions", "top"]]
    assert script.direct(rooms) == {"top": {"middle"}, "middle": {"low"}, "low": set(), "competitions": {"middle"}}
    drawn = script.picture(rooms)
    assert drawn.count("<rect") == 4 and drawn.count("<path") == 3 and "top imports low, middle" in drawn


@pytest.mark.parametrize("stops, most", [(ROW, 13), (SETTING, 8)], ids=["a row", "a setting"])
def test_the_ways_are_short_and_every_stop_exists(stops: list[Stop], most: int) -> None:
    assert 5 < len(stops) <= most
    for file, function in stops:
        scope: Any = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        for name in function.split("."):
            inside = {n.name: n for n in scope.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
            assert name in inside, f"{file} has no {function}"
            scope = inside[name]

"""Both ways of docs/architecture.md are those of a real run."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from typer.testing import CliRunner

from tests.helpers.house import ROOT, House

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
RECIPE = '''
"""A boosted member and a network on two numbers."""

from kit import Boost, KFold, Mean, Perceptron, Recipe, Stage, Task, roc_auc


class Small(Recipe):
    task = Task(name="small", kind="binary", targets=("y",), text=("words",), metric=roc_auc)
    folds = KFold(n=2)
    boost = Boost(trees=3, min_leaf=5)
    net = Perceptron(hidden=(4,), stage=Stage(epochs=1, precision="fp32"))
    blend = Mean()
'''

Stop = tuple[str, str]  # file, function


def way(title: str) -> list[Stop]:
    """The stops of one of the page's ways."""
    part = PAGE.split(f"## The way of {title}")[1].split("\n## ")[0]
    return re.findall(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \|", part, re.MULTILINE)


ROW, SETTING = way("a row"), way("a setting")


class Followed:
    """What a command calls: each stop with the files of kit between it and the stop that it was called from."""

    def __init__(self, stops: list[Stop]) -> None:
        self.stops, self.calls = set(stops), list[Stop]()
        self.between: dict[Stop, set[str]] = {}
        self.rates: list[float] = []

    def __call__(self, frame: FrameType, event: str, value: object) -> None:
        if event != "call" or (stop := place(frame)) not in self.stops:
            return
        if stop in self.calls:  # by last calls: a submission of made-up numbers is tried before the fits
            self.calls.remove(stop)
        self.calls.append(stop)
        self.between[stop] = set(self._passed(frame))
        if "groups" in frame.f_locals:
            self.rates += [group["lr"] for group in frame.f_locals["groups"]]

    def _passed(self, frame: FrameType) -> Iterator[str]:
        above = frame.f_back
        while above is not None and place(above) not in self.stops:
            if (file := place(above)[0]).startswith("kit/"):
                yield file
            above = above.f_back


def place(frame: FrameType) -> Stop:
    path = Path(frame.f_code.co_filename)
    file = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
    return file, frame.f_code.co_qualname


def followed(stops: list[Stop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Followed:
    from kit.cli.entry import app

    house = House(tmp_path)
    (house.folder / "competitions/small/recipe.py").write_text(RECIPE)
    for name in [name for name in sys.modules if name.partition(".")[0] == "competitions"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.chdir(house.folder)
    monkeypatch.setenv("KIT_REPORT", "no")
    monkeypatch.syspath_prepend(str(house.folder))
    seen = Followed(stops)
    sys.setprofile(seen)
    try:
        done = CliRunner().invoke(app, ["cv", "small", *words])
    finally:
        sys.setprofile(None)
    assert done.exit_code == 0 and (house.runs / "submission.csv").exists(), done.output
    return seen


def test_a_row_goes_this_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = followed(ROW, tmp_path, monkeypatch, "--only", "boost")
    assert seen.calls == ROW
    files = {file for file, _ in ROW}
    assert {stop: passed - files for stop, passed in seen.between.items() if passed - files} == {}


def test_a_setting_goes_this_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = followed(SETTING, tmp_path, monkeypatch, "--only", "net", "--set", "net.lr=0.0123")
    assert seen.calls == SETTING and set(seen.rates) == {0.0123}
    passed = seen.between[SETTING[3]] - {file for file, _ in SETTING}
    between = re.search(r"Between stops 3 and 4 .*?\n\n", PAGE, re.DOTALL)
    assert between is not None and passed == set(re.findall(r"`(kit/[^`]+)`", between[0]))
    assert f"{len(SETTING)} stops, and {len({file for file, _ in SETTING} | passed)} files" in between[0]

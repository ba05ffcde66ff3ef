"""Killed anywhere and started again, a run ends in the same bytes as one that was never killed."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.house import House, tiny_bert, wait_until

ENCODER = """
from kit.members import Encoder, Linear
from kit.train import Stage
from kit.text import Tfidf


class Wordy(Small):
    linear: Linear = Linear(word=Tfidf(min_df=1), char=None)
    tiny: Encoder = Encoder(weights=str(Path(__file__).parent / "bert"), length=8, batch_rows=8, batch_tokens=64,
                            stage=Stage(epochs=3, lr=1e-3, precision="fp32"), save_every=0)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, dict[str, bytes]]:
    """A house with a tiny encoder, and all its prediction files after a run that nobody disturbed."""
    house = House(tmp_path_factory.mktemp("whole"))
    place = house.folder / "competitions/small"
    tiny_bert(place / "bert")
    (place / "recipe.py").write_text((place / "recipe.py").read_text() + ENCODER)
    done = house.kit("cv", "small")
    assert done.returncode == 0, done.stdout + done.stderr
    predictions = house.predictions()
    assert len(predictions) == 4 * 4 * 2 + 3
    return house, predictions


@pytest.fixture
def fresh(finished: tuple[House, dict[str, bytes]], tmp_path: Path) -> House:
    house = object.__new__(House)
    house.folder = tmp_path / "again"
    shutil.copytree(finished[0].folder / "competitions", house.folder / "competitions")
    shutil.copytree(finished[0].folder / "data/small", house.folder / "data/small")
    # the same path to the weights, for it is part of the member's key
    text = (house.folder / "competitions/small/recipe.py").read_text()
    path = finished[0].folder / "competitions/small"
    (house.folder / "competitions/small/recipe.py").write_text(
        text.replace("Path(__file__).parent", f"Path({str(path)!r})")
    )
    return house


def lines(path: Path, n: int) -> bool:
    return path.exists() and path.read_text().count("\n") >= n


POINTS: dict[str, Callable[[House], Any]] = {
    "while a cache is written": lambda h: list((h.folder / "data/cache").glob("*/*.part")),
    "after the first fold": lambda h: list(h.runs.glob("boost-*/fold0")),
    "in the first steps": lambda h: list(h.runs.glob("tiny-*/fold0.part/last.pt")),
    "after a logged line": lambda h: any(lines(p, 1) for p in h.runs.glob("tiny-*/fold0.part/log.jsonl")),
    "while a model is written": lambda h: list(h.runs.glob("tiny-*/fold0.part/model")),
    "in a later fold": lambda h: list(h.runs.glob("tiny-*/fold2.part/last.pt")),
    "while blending": lambda h: list(h.runs.glob("submission.csv")),
}


@pytest.mark.slow
def test_killed_at_several_points_in_a_row(finished: tuple[House, dict[str, bytes]], fresh: House) -> None:
    killed = []
    for point, reached in POINTS.items():
        code, err = fresh.kill_when(lambda r=reached: r(fresh), "cv", "small")  # type: ignore[misc]
        assert code in (0, -signal.SIGKILL), err
        killed += [point] if code else []
    assert len(killed) >= 5, killed  # some points last a moment only
    done = fresh.kit("cv", "small")
    assert done.returncode == 0, done.stderr
    assert fresh.predictions() == finished[1]
    assert not list(fresh.runs.glob("*/*.part")) and not list(fresh.runs.rglob("last.pt"))


def test_killed_in_mid_training(finished: tuple[House, dict[str, bytes]], fresh: House) -> None:
    words = ("cv", "small", "--only", "tiny", "--folds", "0")
    code, _ = fresh.kill_when(lambda: POINTS["in the first steps"](fresh), *words)
    assert code == -signal.SIGKILL
    assert fresh.kit(*words).returncode == 0
    wanted = {k: v for k, v in finished[1].items() if k.startswith("tiny-") and "fold0" in k}
    assert len(wanted) == 2 and fresh.predictions() == wanted


def test_two_at_once(finished: tuple[House, dict[str, bytes]], house: House) -> None:
    both = [house.start("cv", "small", MOOD="sleep0.3") for _ in range(2)]
    outputs = [p.communicate(timeout=120) for p in both]
    for process, (_, err) in zip(both, outputs, strict=True):
        waits = (
            process.returncode == 1 and "under way in another process; run the same command when it has ended" in err
        )
        assert process.returncode == 0 or waits, err
    assert len(house.fits()) == 4 and len(set(house.fits())) == 4  # each fold once
    wanted = {k: v for k, v in finished[1].items() if k.startswith(("boost", "memory"))}
    assert house.kit("cv", "small").returncode == 0 and len(house.fits()) == 4
    found = {k: v for k, v in house.predictions().items() if k.startswith(("boost", "memory"))}
    assert found == wanted


@pytest.mark.parametrize("on", ["inline", "processes:2"])
def test_ctrl_c_stops_keeps_and_says_how_to_go_on(house: House, on: str) -> None:
    assert house.kit("cv", "small", "--only", "boost", "--set", "boost.trees=2").returncode == 0
    before = house.predictions()
    asleep: list[Path] = []

    def ready() -> bool:
        asleep[:] = house.runs.glob("memory-*/fold*.part/asleep")
        return bool(asleep)

    words = ("cv", "small", "--on", on, "--set", "boost.trees=2 memory.shift=1")
    code, err = house.kill_when(ready, *words, sign=signal.SIGINT, MOOD="sleep30")
    assert code == 130, err
    how = f"kit cv small --on {on} --set 'boost.trees=2 memory.shift=1'"
    assert err.strip() == f"kit: stopped; finished folds are kept. To go on: {how}"
    kept = {k: v for k, v in house.predictions().items() if k.startswith("boost")}
    assert kept == {k: v for k, v in before.items() if k.startswith("boost")} and len(kept) == 8
    wait_until(lambda: not _left(house), 10)
    done = house.kit(*words)
    assert done.returncode == 0 and "4 of 8 folds were finished before" in done.stdout


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(house: House) -> None:
    asleep = "memory-*/fold*.part/asleep"
    words = ("cv", "small", "--on", "processes:2", "--only", "memory")
    code, _ = house.kill_when(lambda: len(list(house.runs.glob(asleep))) == 2, *words, MOOD="sleep60")
    assert code == -signal.SIGKILL
    wait_until(lambda: not _left(house), 10)
    assert house.kit(*words).returncode == 0


def _left(house: House) -> list[int]:
    """Processes that still work in the house's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                at, state = os.readlink(entry / "cwd"), (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            found += [int(entry.name)] if at == str(house.folder) and state != "Z" else []
    return found

"""Two commands at once on one run end well, and leave the bytes that one after the other leaves."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.house import House

CV = ("cv", "small")


def ran(house: House, *commands: tuple[str, ...]) -> House:
    for words in commands:
        assert house.kit(*words).returncode == 0
    return house


def at_once(house: House, *commands: tuple[str, ...]) -> None:
    both = [house.start(*words, MOOD="sleep0.1") for words in commands]
    ended = [(process.communicate(timeout=120), process.returncode) for process in both]
    assert all(code in (0, 1) for _, code in ended), ended  # 1: folds were under way in the other process
    assert not any("Traceback" in said for (_, said), _ in ended)


def results(house: House) -> dict[str, bytes]:
    left = [path for path in house.runs.rglob("*") if path.name.startswith(".") or path.name.endswith(".part")]
    found = house.predictions()
    assert left == [] and {"submission.csv", "blend/oof.npy"} <= found.keys()
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> House:
    return ran(House(tmp_path_factory.mktemp("finished")), CV)


def copied(house: House, folder: Path) -> House:
    other = House(folder)
    shutil.copytree(house.folder / "runs", folder / "runs")
    return other


@pytest.mark.slow
def test_two_fits_of_the_same_run(tmp_path: Path, finished: House) -> None:
    house = House(tmp_path)
    at_once(house, CV, CV)
    ran(house, CV)  # the one that ended first may have seen folds of the other under way
    assert results(house) == results(finished) and sorted(house.fits()) == sorted(finished.fits())  # none fitted twice


@pytest.mark.slow
def test_a_fit_and_a_blend(tmp_path: Path, finished: House) -> None:
    other = ("cv", "small", "set=memory.shift=1")
    apart = ran(copied(finished, tmp_path / "apart"), other)
    together = copied(finished, tmp_path / "together")
    at_once(together, other, ("blend", "small"))
    ran(together, other)  # the blend may have been the last to write
    assert results(together) == results(apart)


@pytest.mark.slow
def test_a_fit_and_a_report(tmp_path: Path, finished: House) -> None:
    house = copied(finished, tmp_path)
    at_once(house, CV, ("report", "small"))
    assert results(house) == results(finished) and house.fits() == []
    assert (house.runs / "report.html").read_text().endswith("</html>\n")

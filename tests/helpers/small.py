"""The small competition of `tests.helpers.house` in this process."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.run.jobs import fit_jobs, jobs_of, unfinished
from kit.run.opened import Opened
from kit.run.run import Run
from tests.helpers.house import RECIPE, write_csvs


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The recipe's class; its `data` is the folder of its rows."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "small_recipe.py").write_text(RECIPE)
    write_csvs(folder / "data")
    sys.path.insert(0, str(folder))
    cls = importlib.import_module("small_recipe").Small
    cls.data = folder / "data"
    yield cls
    sys.path.remove(str(folder))
    del sys.modules["small_recipe"]


@pytest.fixture(autouse=True)
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which its member `memory` counts its fits."""
    monkeypatch.setenv("FITS", str(tmp_path / "fits.txt"))
    return tmp_path / "fits.txt"


def opened(cls: Any, root: Path, *settings: str) -> Run:
    """A run that other processes can open."""
    recipe = cls().override(*settings)
    names = Opened.of(recipe, settings, cls.data, root / "run", root / "cache", threads=1)
    return Run(recipe, recipe.load(cls.data, root / "cache"), root / "run", opened=names)


def fitted(
    run: Run, names: tuple[str, ...] = ("boost", "memory"), folds: list[int] | None = None
) -> dict[tuple[str, int], str]:
    """Fits what is missing; member and fold → how it ended."""
    outcomes = fit_jobs(unfinished(jobs_of(run, names, folds)))
    return {(job.member, job.fold): outcome.state for job, outcome in outcomes.items()}

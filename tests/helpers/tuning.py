"""Tiny members for tests of tuning: their scores are known functions of their settings."""

import importlib
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.run.opened import Opened
from kit.run.run import Run
from kit.tune import Tuned, Tuning, tune
from kit.tune.knobs import knobs_of
from kit.tune.storage import opened_storage, quiet
from kit.tune.study import Search, begun_study
from tests.helpers.house import House

RECIPE = '''
"""Members whose scores are planted."""

import os
import signal
import time
import zlib
from pathlib import Path

import numpy as np
from pydantic import Field

from kit.rows import Rows
from kit.task import Task
from kit.ensemble import Blend, Mean
from kit.core.files import read_json, write_json
from kit.folds import Folds, KFold
from kit.member import Member, Predictor
from kit.members import Perceptron
from kit.metrics import rmse
from kit.recipe import Recipe
from kit.train import Stage
from kit.tune import choice, log_float, number


class Off(Predictor):
    """Misses every value by the same, or by chance."""

    def __init__(self, by, key=None):
        self.by, self.key = by, key

    def predict(self, rows):
        x = rows.frame["x"].to_numpy()
        if self.key is None:
            return x[:, None] + self.by
        chance = [np.random.default_rng([zlib.crc32(self.key.encode()), zlib.crc32(v.tobytes())]).normal() for v in x]
        return (x + self.by * np.array(chance))[:, None]

    def save(self, folder):
        write_json(folder / "off.json", [self.by, self.key])

    @classmethod
    def load(cls, folder):
        return cls(*read_json(folder / "off.json"))


def count(*facts):
    with open(os.environ.get("FITS", os.devnull), "a") as file:
        file.write(" ".join(map(str, facts)) + "\\n")
    with open(os.environ.get("FITS", os.devnull)) as file:
        return len(file.readlines())


class Bowl(Member):
    """Its RMSE is a quadratic of a and log b, least at a = 0.3, b = 0.1, kind = y."""

    a: float = Field(0.0, ge=-1, le=1)
    b: float = Field(1e-3, gt=0)
    kind: str = Field("x", pattern="^[xyz]$")

    def learn(self, train: Rows, valid: Rows, work: Path) -> Off:
        n = count(self.a, self.b, self.kind, valid.at.min(), self.seed, os.getpid())
        if os.environ.get("STOP_AT") == str(n):
            raise KeyboardInterrupt
        if os.environ.get("SLEEP_AT") == str(n):
            (work / "asleep").touch()
            time.sleep(60)
        time.sleep(float(os.environ.get("SLOW", "0")))
        if self.kind == "z":
            raise RuntimeError("z is ill")
        return Off((self.a - 0.3) ** 2 + (np.log10(self.b) + 1) ** 2 / 4 + 0.05 * (self.kind != "y"))


class Noise(Member):
    """Its settings change chance alone."""

    a: float = Field(0.0)

    def learn(self, train: Rows, valid: Rows, work: Path) -> Off:
        return Off(1.0, f"{self.a} {self.seed}")


class Uneven(Member):
    """The fold with row 0 is far easier than the others."""

    a: float = Field(0.5)

    def learn(self, train: Rows, valid: Rows, work: Path) -> Off:
        count(self.a)
        return Off(self.a * (0.01 if 0 in valid.at else 1) + (0 if 0 in valid.at else 1))


class Bowls(Recipe):
    task = Task(name="bowls", kind="regression", targets=("y",), inputs=("x",), metric=rmse)
    presets = {"near": ["bowl.a=0.25", "noise.a=2"]}
    tune = {
        "bowl.a": number(-1, 1), "bowl.b": log_float(1e-4, 1), "bowl.kind": choice("x", "y"),
        "noise.a": number(0, 1), "uneven.a": number(0, 1), "net.lr": log_float(1e-7, 0.1),
    }
    folds: Folds = KFold(n=3)
    bowl: Bowl = Bowl()
    noise: Noise = Noise()
    uneven: Uneven = Uneven()
    net: Perceptron = Perceptron(hidden=(4,), stop="inner", inner=0.2, stage=Stage(epochs=8, lr=0.02, precision="fp32"))
    blend: Blend = Mean()
'''


def write_rows(folder: Path, n: int = 60, n_test: int = 6) -> None:
    """y is x, so that a member that adds something to x misses by that."""
    x = np.random.default_rng(3).normal(size=n + n_test).round(6)
    frame = pd.DataFrame({"id": range(len(x)), "x": x, "y": x})
    folder.mkdir(parents=True)
    frame[:n].to_csv(folder / "train.csv", index=False)
    frame[n:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    frame[n:][["id"]].assign(y=0.0).to_csv(folder / "sample_submission.csv", index=False)


def place(folder: Path) -> House:
    """The recipe as a competition of a folder in which commands run."""
    house = House(folder)
    (house.folder / "competitions/small").rename(house.folder / "competitions/bowls")
    (house.folder / "competitions/bowls/recipe.py").write_text(RECIPE)
    shutil.rmtree(house.folder / "data")
    write_rows(house.folder / "data/bowls")
    return house


class Bench:
    """The recipe above as a module of this process, and runs of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "bowls_recipe.py").write_text(RECIPE)
        write_rows(folder / "data")
        sys.path.insert(0, str(folder))
        self.cls: Any = importlib.import_module("bowls_recipe").Bowls
        self.table = self.cls().load(folder / "data")

    def close(self) -> None:
        sys.path.remove(str(self.folder))
        del sys.modules["bowls_recipe"]

    def run(self, root: Path, *settings: str, threads: int = 2) -> Run:
        """A run that other processes can open."""
        recipe = self.cls().override(*settings)
        opened = Opened.of(recipe, settings, self.folder / "data", root / "run", root / "cache", None, threads)
        assert opened is not None
        return Run(recipe, self.table, root / "run", opened=opened)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bench"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FITS", str(tmp_path / "fits.txt"))
    (tmp_path / "fits.txt").touch()
    return tmp_path / "fits.txt"


@pytest.fixture(autouse=True)
def careless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leaves out what costs time and is not looked at: pictures, and waiting for the disk."""
    from sqlalchemy import Engine, event

    def unsynced(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", unsynced)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    if "pictures" not in request.node.name:
        monkeypatch.setattr("kit.tune.search.draw", lambda *_: [])
        monkeypatch.setattr("kit.tune.search.importances", lambda *_: {})
    yield
    event.remove(Engine, "connect", unsynced)


def searched(bench: Bench, root: Path, *settings: str, **options: Any) -> Tuned:
    root.mkdir(exist_ok=True)
    return tune(bench.run(root, *settings), Tuning(**{"member": "bowl", "rescore": 0} | options))


def study_of(root: Path, member: str) -> Any:
    """The only study in a member's file."""
    import optuna

    with quiet():
        storage = opened_storage(f"sqlite:///{root}/run/tune/{member}.db")
        (name,) = optuna.study.get_all_study_names(storage)
        return optuna.load_study(study_name=name, storage=storage)


def bowl(a: np.ndarray, log_b: np.ndarray, kind: np.ndarray) -> np.ndarray:
    return (a - 0.3) ** 2 + (log_b + 1) ** 2 / 4 + 0.05 * kind


def same(trials: list[dict[str, Any]]) -> list[Any]:
    return [(t["number"], t["state"], t["score"], t["settings"], t["store"]) for t in trials]


def begin_together(bench: Bench, root: Path, url: str, count: int = 6) -> None:
    """Searches that begin at the same moment in a fresh database have one study, with the own settings as its only trial."""
    run, start = bench.run(root), threading.Barrier(count)
    knobs = tuple(knobs_of(run.recipe, "bowl")[0])
    search = Search(run, "bowl", knobs, (0,), 3, None, url, "study", root / "locks", 0, "none")

    def begin(number: int) -> str:
        start.wait()
        return begun_study(search, opened_storage(url), False).study_name

    with quiet(), ThreadPoolExecutor(count) as pool:
        assert list(pool.map(begin, range(count))) == ["study"] * count
        trials = begun_study(search, opened_storage(url), False).get_trials(deepcopy=False)
    assert [(trial.number, trial.user_attrs) for trial in trials] == [(0, {"own": True})]

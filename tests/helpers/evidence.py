"""A small competition whose member is as good as it is told to be: what compare, ablate and curves are tried on."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.ensemble import Blend, Mean
from kit.folds import Folds, Grouped, KFold, TimeSeries
from kit.member import Member, Predictor
from kit.metrics import roc_auc
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.opened import Opened
from kit.run.run import Run
from kit.table import Table
from kit.task import Task


class Blurred(Predictor):
    """The signal, with noise that depends on row and seed."""

    def __init__(self, noise: float, seed: int) -> None:
        self.noise, self.seed = noise, seed

    def predict(self, rows: Rows) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        blur = rng.normal(0, self.noise, len(rows.source.frame))[rows.at]
        return 1 / (1 + np.exp(-(rows.frame["x"].to_numpy() + blur)))[:, None]

    def save(self, folder: Path) -> None:
        write_json(folder / "blurred.json", [self.noise, self.seed])

    @classmethod
    def load(cls, folder: Path) -> "Blurred":
        return cls(*read_json(folder / "blurred.json"))


class Planted(Member):
    """Reads the signal through noise of a given size; each technique has a known effect on it."""

    noise: float = Field(0.5, ge=0, description="of predictions: less is better")
    learns: bool = Field(False, description="noise falls with the number of train rows")
    name: str = Field("", description="changes nothing but the key")
    broken: bool = Field(False, description="fails")
    hungry: int = Field(0, ge=0, description="MiB held while it fits")

    def learn(self, train: Rows, valid: Rows, work: Path) -> Blurred:
        if path := os.environ.get("FITS"):
            with open(path, "a") as file:
                file.write(f"{self.noise} {self.name} {self.seed} {len(train)}\n")
        if (stop := os.environ.get("STOP")) and len(lines(Path(os.environ["FITS"]))) > int(stop):
            raise KeyboardInterrupt
        if self.broken:
            raise KitError("it does not work here")
        held = np.ones(self.hungry * 2**17)
        assert len(held) == self.hungry * 2**17
        return Blurred(20 * self.noise / np.sqrt(len(train)) if self.learns else self.noise, self.seed)


class Evident(Recipe):
    task = Task(name="evident", kind="binary", targets=("y",), metric=roc_auc)
    techniques = {
        "sharper": "m.noise=0.1",
        "worse": {"early": "m.noise=6", "late": "noise=3"},
        "same": "m.name=other",
        "nothing": "m.noise=0.5",
        "wrong": "m.nose=1",
        "broken": "m.broken=true",
        "of another": "twin.noise=1",
    }
    folds: Folds = KFold(n=5)
    m: Planted = Planted()
    twin: Planted = Planted(name="twin")
    blend: Blend = Mean()


def table(n: int = 400, seed: int = 3) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n + 10).round(9)
    frame = pd.DataFrame({"id": [f"{i:05d}" for i in range(n + 10)], "x": x})
    y = (x + rng.normal(0, 0.7, len(x)) > 0).astype(int)
    sample = frame[["id"]][n:].assign(y=0.5).reset_index(drop=True)
    return Table(Evident.task, frame[:n].assign(y=y[:n]), frame[n:].reset_index(drop=True), sample)


def run_in(folder: Path, *settings: str, n: int = 400) -> Run:
    return Run(Evident().override(*settings), table(n), folder)


class Sited(Evident):
    """The same, its rows from 16 sites."""

    task = Evident.task.model_copy(update={"aside": ("site",)})
    techniques = {}
    folds: Folds = Grouped(group="site", n=4)


def sited_in(folder: Path, *settings: str) -> Run:
    plain = table()
    train = plain.train.assign(site=np.arange(400) // 25)
    return Run(Sited().override(*settings), replace(plain, task=Sited.task, train=train), folder)


class Dated(Evident):
    """The same, learnt from the past: the later the fold, the more rows it learns from."""

    techniques = {}
    folds: Folds = TimeSeries(n=4, time="x")


def opened_in(folder: Path, *settings: str) -> Run:
    """The same run, its rows read from files below `folder`: other processes can open it."""
    kept = table()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name, frame in (("train", kept.train), ("test", kept.test), ("sample_submission", kept.sample)):
        assert frame is not None
        frame.to_csv(folder / "data" / f"{name}.csv", index=False)
    recipe = Evident().override(*settings)
    opened = Opened.of(recipe, settings, folder / "data", folder / "run", folder / "cache", threads=1)
    return Run(recipe, recipe.load(folder / "data", folder / "cache"), folder / "run", opened=opened)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []

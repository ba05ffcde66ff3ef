"""A member that draws one number by its seed, counts its fits, and can be killed in one."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from kit.core.files import read_json, write_json
from kit.member import Member, Predictor
from kit.metrics import mean_roc_auc, roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.testing import sample_rows

NUMBERS = Task(name="n", kind="binary", targets=("y",), metric=roc_auc)
TEXTS = Task(name="m", kind="multilabel", targets=("a", "b"), text=("t",), metric=mean_roc_auc)
fits: list[int] = []  # seeds, in the order of the fits


class Draw(Member):
    """Says one random number, drawn by its seed, of every row."""

    dies: int | None = Field(None, description="seed at which its first fit in a folder is killed")
    late: float = Field(0.0, description="changes no number")

    @property
    def early_stops_on_valid(self) -> bool:
        return self.late > 0

    def identity(self) -> dict[str, Any]:
        return {k: v for k, v in self.to_dict().items() if k != "late"}

    def prepare(self, rows: Rows) -> None:
        rows.source.once("drawn", lambda frame: {"n": np.array(len(frame))})

    def learn(self, train: Rows, valid: Rows, work: Path) -> "Said":
        fits.append(self.seed)
        begun = (work / "last.pt").exists()
        (work / "last.pt").touch()
        if self.seed == self.dies and not begun:
            raise KeyboardInterrupt
        return Said(float(np.random.default_rng(self.seed).random()))


class Said(Predictor):
    def __init__(self, number: float) -> None:
        self.number = number

    def predict(self, rows: Rows) -> np.ndarray:
        return np.full((len(rows), rows.task.outputs), self.number)

    def save(self, folder: Path) -> None:
        write_json(folder / "number.json", self.number)

    @classmethod
    def load(cls, folder: Path) -> "Said":
        return cls(read_json(folder / "number.json"))


def drawn(*seeds: int) -> float:
    return float(np.mean([np.random.default_rng(seed).random() for seed in seeds]))


def fitted(member: Member, work: Path, task: Task = NUMBERS) -> tuple[Predictor, np.ndarray]:
    rows = sample_rows(task)
    work.mkdir(exist_ok=True)
    predictor = member.learn(rows.take(np.arange(40)), rows.take(np.arange(40, 60)), work)
    return predictor, predictor.predict(rows.take(np.arange(40, 60)))

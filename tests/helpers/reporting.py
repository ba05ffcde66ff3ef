"""Small runs of every kind of task, for the tests of report and tracking."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.files import read_json, write_json
from kit.ensemble import Blend, Greedy
from kit.folds import Folds, KFold
from kit.member import Member, Predictor
from kit.metrics import accuracy, f1, log_loss, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.table import Table
from kit.task import Task

EVIL = "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"


class Told(Predictor):
    """A noisy function of column x."""

    def __init__(self, kind: str, outputs: int, noise: float) -> None:
        self.facts = [kind, outputs, noise]

    def predict(self, rows: Rows) -> np.ndarray:
        kind, outputs, noise = self.facts
        x = rows.frame["x"].to_numpy()[:, None]
        z = x + np.random.default_rng(int(noise * 100)).normal(0, noise, (len(x), outputs))
        if kind == "regression":
            return np.asarray(z)
        if kind == "multiclass":
            p = np.exp(-((z - np.arange(outputs) + 1) ** 2))
            return np.asarray(p / p.sum(axis=1, keepdims=True))
        return np.asarray(1 / (1 + np.exp(-2 * z + np.arange(outputs))))

    def save(self, folder: Path) -> None:
        write_json(folder / "facts.json", self.facts)

    @classmethod
    def load(cls, folder: Path) -> "Told":
        return cls(*read_json(folder / "facts.json"))


class Guess(Member):
    """Learns nothing; logs two stages as a network does."""

    noise: float = Field(0.5, ge=0, description="how far its answers are off")
    log: bool = Field(False, description="write log.jsonl")

    def learn(self, train: Rows, valid: Rows, work: Path) -> Told:
        if self.log:
            lines = [
                {"stage": stage, "step": step, "steps": 3, "epoch": stage, "loss": 1 / (stage * 3 + step), "lr": 0.1}
                for stage in (0, 1)
                for step in (1, 2, 3)
            ]
            (work / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return Told(train.task.kind, train.task.outputs, self.noise)


KINDS: dict[str, dict[str, Any]] = {
    "binary": {"targets": ("y",), "metric": roc_auc},
    "thresholded": {"kind": "binary", "targets": ("y",), "metric": f1, "classes": ("no", "yes")},
    "multilabel": {"targets": ("y", "<b>loud</b>", "rare"), "metric": mean_roc_auc},
    "multiclass": {"targets": ("y",), "metric": log_loss, "classes": ("low", "<i>mid</i>", "$high$")},
    "named": {"kind": "multiclass", "targets": ("y",), "metric": accuracy, "classes": tuple(range(24))},
    "regression": {"targets": ("y", "z"), "metric": rmse},
    "graded": {"kind": "regression", "targets": ("y",), "metric": quadratic_kappa},
}


def made(
    kind: str, root: Path, *settings: str, test: bool = True, n: int = 120, text: bool = True, third: bool = False
) -> Run:
    """A run of a task of this kind, nothing fitted."""
    rng = np.random.default_rng(3)
    facts = {"name": kind, "kind": kind} | KINDS[kind] | {"text": ("words",) if text else ()}
    task_ = Task(**facts)
    rows = n + 60
    x = rng.normal(size=rows)
    words = [" ".join(rng.choice(["red", "green", "blue", "sky", "中文"], 4)) for _ in range(rows)]
    words[:n:7] = [EVIL] * len(words[:n:7])
    frame = pd.DataFrame({"id": [f"{i:04d}" for i in range(rows)], "x": x, "color": rng.choice(["a", "b"], rows)})
    if text:
        frame["words"] = words
    labels = pd.DataFrame(index=range(n))
    for i, target in enumerate(task_.targets):
        noisy = x[:n] + rng.normal(0, 0.7, n)
        if task_.kind == "regression":
            labels[target] = np.digitize(noisy, (-1, 0, 1)) + 1 if kind == "graded" else noisy
        elif task_.kind == "multiclass":
            place = np.digitize(noisy, np.linspace(-0.5, 0.5, len(task_.classes) - 1))
            labels[target] = [task_.classes[k] for k in place]
        else:
            yes = (noisy > i * 0.6).astype(int)
            labels[target] = [task_.classes[k] for k in yes] if task_.classes else yes
    train, asked = pd.concat([frame[:n], labels], axis=1), frame[n:].reset_index(drop=True)

    class Small(Recipe):
        task = task_
        folds: Folds = KFold(n=3)
        good: Guess = Guess(noise=0.3, log=True)
        bad: Guess = Guess(noise=1.2)
        blend: Blend = Greedy()

    class Larger(Small):
        third: Guess = Guess(noise=0.6)

    return Run(
        (Larger if third else Small)().override(*settings), Table(task_, train, asked if test else asked[:0]), root
    )


def fitted(run: Run, names: tuple[str, ...] = ("good", "bad"), folds: list[int] | None = None) -> Run:
    """The run with these folds fitted, and blended."""
    outcomes = fit_jobs(jobs_of(run, names, folds))
    assert {outcome.state for outcome in outcomes.values()} <= {"done", "kept"}
    blend(run, list(run.recipe.members))
    return run


PNG = b"\x89PNG\r\n"


class Read(HTMLParser):
    """Ids, links, what would be fetched, and whether every element is closed."""

    VOID = {"meta", "link", "img", "br", "input"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "xlink:href", "src"):
                (self.links if (value or "").startswith("#") else self.fetched).append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

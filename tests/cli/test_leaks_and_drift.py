"""`make leaks` and `make drift`, and what `make cv` says of leaks before its first fit."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.house import House, write_csvs


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_leaks_are_told_by_their_command_and_before_the_first_fit(house: House) -> None:
    shutil.rmtree(house.folder / "data/small")
    write_csvs(house.folder / "data/small", 800)
    clean = house.kit("leaks", "small")
    assert clean.returncode == 0 and "no leak found: 3 columns, 800 train rows, 30 test rows" in clean.stdout
    train, test = (
        pd.read_csv(house.folder / f"data/small/{part}.csv", dtype={"id": str}) for part in ("train", "test")
    )
    told = train["y"] + np.random.default_rng(0).normal(0, 0.01, 800)
    train.assign(refund=told).to_csv(house.folder / "data/small/train.csv", index=False)
    test.assign(refund=0.5).to_csv(house.folder / "data/small/test.csv", index=False)
    sentence = "column 'refund' alone tells 'y' almost without error (AUC 0.99"
    found = house.kit("leaks", "small")
    assert found.returncode == 0 and sentence in found.stdout and "no leak" not in found.stdout
    fitted = house.kit("cv", "small", "--only", "memory", KIT_REPORT="yes")
    assert fitted.returncode == 0 and fitted.stdout.index(sentence) < fitted.stdout.index("memory fold 0")
    page = (house.runs / "report.html").read_text()
    assert "column &#x27;refund&#x27; alone tells" in page.partition('id="leaks"')[2]
    assert (
        sentence not in house.kit("cv", "small", "--only", "memory").stdout
    )  # nothing is fitted, nothing is said again


def test_drift_is_told_and_weights_are_written(house: House) -> None:
    alike = house.kit("drift", "small")
    assert alike.returncode == 0, alike.stderr
    kept = pd.read_csv(house.runs / "drift.csv", dtype={"id": str})
    assert (
        list(kept.columns) == ["id", "like_test", "weight", "fold"]
        and kept["id"].iloc[0] == "00000"
        and len(kept) == 120
    )
    assert set(kept["fold"]) == {-1, 0, 1, 2, 3, 4}
    path = house.folder / "data/small/test.csv"
    test = pd.read_csv(path, dtype={"id": str})
    test.assign(x=test["x"] + 3).to_csv(path, index=False)
    moved = house.kit("drift", "small")
    assert "a classifier tells test rows from train rows with AUC 0.9" in moved.stdout and "'x' has " in moved.stdout
    test.iloc[:5].to_csv(path, index=False)
    pd.read_csv(house.folder / "data/small/sample_submission.csv", dtype={"id": str}).iloc[-5:].to_csv(
        house.folder / "data/small/sample_submission.csv", index=False
    )
    few = house.kit("drift", "small")
    assert few.returncode == 2 and "drift compares columns of at least 20 train and 20 test rows" in few.stderr

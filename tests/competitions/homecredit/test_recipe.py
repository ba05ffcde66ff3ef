"""The Home Credit recipe: its sample is in Kaggle's form, side tables that are absent do no harm, files to submission."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competitions.homecredit.features import Application
from competitions.homecredit.recipe import HomeCredit
from competitions.homecredit.sample import write
from kit import Boost, SideAggregates, check_recipe
from tests.helpers.house import ROOT

SIDES = (
    "bureau",
    "bureau_balance",
    "previous_application",
    "POS_CASH_balance",
    "credit_card_balance",
    "installments_payments",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("homecredit")
    write(place, 300, 80)
    return place


def kit(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"KIT_DATA": str(folder / "none"), "KIT_KAGGLE_INPUT": str(folder / "none")}
    command = [sys.executable, "-m", "kit", *words]
    return subprocess.run(
        command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


def test_the_sample_has_kaggles_form_and_its_keys_join(folder: Path) -> None:
    read = {name: pd.read_csv(folder / f"{name}.csv") for name in ("application_train", "application_test", *SIDES)}
    train, test = read["application_train"], read["application_test"]
    assert train.shape == (300, 122) and [*test] == [c for c in train if c != "TARGET"]
    assert train["SK_ID_CURR"].is_unique and not {*train["SK_ID_CURR"]} & {*test["SK_ID_CURR"]}
    clients, loans = {*train["SK_ID_CURR"], *test["SK_ID_CURR"]}, {*read["bureau"]["SK_ID_BUREAU"]}
    for name in SIDES:
        keys = {*read[name]["SK_ID_BUREAU" if name == "bureau_balance" else "SK_ID_CURR"]}
        assert keys < (loans if name == "bureau_balance" else clients), name  # and some have none
    columns = {name: len(read[name].columns) for name in SIDES}
    assert columns == dict(zip(SIDES, (17, 3, 37, 8, 23, 8), strict=True))
    assert {*read["POS_CASH_balance"]["SK_ID_PREV"]} <= {*read["previous_application"]["SK_ID_PREV"]}
    assert (train["DAYS_EMPLOYED"] == 365243).any() and (train["ORGANIZATION_TYPE"] == "XNA").any()
    assert (read["previous_application"]["DAYS_FIRST_DRAWING"] == 365243).any()


def test_the_sample_is_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, 300, 80)
    assert all((tmp_path / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())
    write(tmp_path, 300, 80, seed=1)
    assert (tmp_path / "bureau.csv").read_bytes() != (folder / "bureau.csv").read_bytes()


def test_the_recipe_holds_its_contract(folder: Path) -> None:
    check_recipe(HomeCredit(), folder)


def test_no_aggregate_reads_days_of_never(folder: Path) -> None:
    table = HomeCredit().load(folder)
    member = HomeCredit().boost
    for features in member.features:
        if isinstance(features, SideAggregates):
            values, names = features.of(table.test_rows), features.names(table.test_rows)
            days = [i for i, name in enumerate(names) if "DAYS" in name and not name.startswith("sum")]
            assert not (values[:, days] > 100_000).any()
            assert not [name for name in names if "= XNA" in name or "= XAP" in name]
            assert len(names) > 3 and np.isfinite(values).any(axis=0).all()


def test_it_works_with_whichever_sides_are_there(folder: Path, tmp_path: Path) -> None:
    for name in ("application_train", "application_test", "sample_submission", "bureau"):
        (tmp_path / f"{name}.csv").write_bytes((folder / f"{name}.csv").read_bytes())
    table = HomeCredit().load(tmp_path)
    assert [note for note in table.notes if "side tables (bureau_balance, previous_application," in note]
    rows = table.rows(np.arange(300))
    predictor = Boost(trees=5, features=HomeCredit().boost.features).learn(rows, rows, tmp_path)
    assert np.isfinite(predictor.predict(table.test_rows)).all()


def test_ratios_of_the_application(folder: Path) -> None:
    table = HomeCredit().load(folder)
    found = pd.DataFrame(Application().of(table.test_rows), columns=Application().names(table.test_rows))
    frame = (
        pd.concat([pd.read_csv(folder / f"application_{part}.csv") for part in ("train", "test")]).copy().reset_index()
    )
    np.testing.assert_allclose(found["credit / income"], frame["AMT_CREDIT"] / frame["AMT_INCOME_TOTAL"], rtol=1e-6)
    employed = (frame["DAYS_EMPLOYED"] / frame["DAYS_BIRTH"]).where(frame["DAYS_EMPLOYED"] != 365243)
    np.testing.assert_allclose(found["employed / age"], employed, rtol=1e-6)
    scores = frame[["EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3"]]
    np.testing.assert_allclose(found["mean of external scores"], scores.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["product of external scores"], scores.prod(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(
        found["missing cells"], frame[[c for c in frame if c in table.source.frame]].isna().sum(axis=1)
    )


@pytest.mark.slow
def test_the_sample_runs_end_to_end(tmp_path: Path) -> None:
    first = kit(tmp_path, "cv", "homecredit")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("using the embedded sample with preset quick") == 1
    root = tmp_path / "runs" / "homecredit-sample"
    assert len(list(root.glob("*/fold?/valid.npy"))) == 5 * len(HomeCredit().members)
    report = json.loads((root / "blend" / "report.json").read_text())
    assert report["summary"]["nested"] > 0.71  # with the application alone it is 0.68
    sample = pd.read_csv(tmp_path / "data" / "cache" / "homecredit-sample" / "sample_submission.csv")
    submitted = pd.read_csv(root / "submission.csv")
    assert submitted["SK_ID_CURR"].tolist() == sample["SK_ID_CURR"].tolist() and submitted["TARGET"].between(0, 1).all()
    second = kit(tmp_path, "cv", "homecredit")
    assert second.returncode == 0 and "folds were finished before" in second.stdout

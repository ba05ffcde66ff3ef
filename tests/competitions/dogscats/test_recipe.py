"""The recipe, from zip files to a submission."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from competitions.dogscats import sample
from competitions.dogscats.recipe import DogsCats
from kit.run.predict import new_rows, predict
from kit.testing import check_recipe

SMALL = "boost.trees=5 boost.min_leaf=2 folds.n=3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dogscats")
    sample.write(folder, 40, 8)
    return folder


def test_the_sample_has_the_form_of_the_files_and_is_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    sample.write(tmp_path, 40, 8)
    for name in ("train.zip", "test.zip", "sample_submission.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    with zipfile.ZipFile(folder / "train.zip") as archive:
        assert {f"train/{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(20)} == set(archive.namelist())
        modes = [Image.open(io.BytesIO(archive.read(f"train/dog.{i}.jpg"))).mode for i in (0, 19)]
        assert modes == ["RGB", "CMYK"] and b"404" in archive.read("train/dog.16.jpg")


def test_from_zip_files_to_a_submission(folder: Path, tmp_path: Path) -> None:
    check_recipe(DogsCats(), folder)
    run = DogsCats().open(folder, runs=tmp_path / "runs", cache=tmp_path / "cache", settings=SMALL)
    assert len(run.run.table.train) == 39  # one is no picture
    run.fit(only="boost")
    run.blend(only="boost")
    sent = pd.read_csv(tmp_path / "runs/dogscats/submission.csv")
    assert sent["id"].tolist() == list(range(1, 9)) and sent["label"].between(0.001, 0.999).all()
    for fold, kept in run.run.gathered("boost").items():  # what cannot be read is predicted as the mean of its fold
        assert np.allclose(kept.test[7], kept.test[:7].mean(axis=0)), fold
        assert len(np.unique(kept.test)) > 3
    with zipfile.ZipFile(folder / "test.zip") as archive:
        shown = [archive.read("test/2.jpg"), "test/3.jpg", "test/4.jpg", b"no picture"]
    frame = pd.DataFrame({"id": ["a", "b", "c", "d"], "image": shown})
    found = predict(run.run, "boost", new_rows(run.run, frame))["boost"]
    means = np.mean([kept.test for kept in run.run.gathered("boost").values()], axis=0)
    np.testing.assert_allclose(found[:3], means[1:4], rtol=1e-5)
    np.testing.assert_allclose(found[3], found[:3].mean(axis=0), rtol=1e-5)


def test_every_member_takes_the_task_in_every_preset() -> None:
    for preset in (None, *DogsCats.presets):
        recipe = DogsCats().override(*DogsCats().overrides(preset))
        for member in recipe.members.values():
            member.check(recipe.task)

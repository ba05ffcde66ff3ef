"""A competition's files: what they may be called, and what is said where they are not."""

from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.metrics import roc_auc
from kit.reading.discovery import FILES, files_in, first_of, no_data
from kit.task import Task

TASK = Task(name="mine", kind="binary", targets="y", metric=roc_auc)


def folder_of(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    "name",
    ["SampleSubmission.csv", "sample.csv", "sampleSubmission.csv", "sample_submission_v2.csv".replace("_v2", "2"),
     "gender_submission.csv", "submission_format.csv", "Sample_Submission.csv", "example_entry.csv", "sample-submission.csv.zip"],
)  # fmt: skip
def test_a_sample_submission_has_many_names(name: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "train.csv", "test.csv", name, "sampled_rows.csv", "submission.csv", ".sample.csv")
    assert files_in(folder, FILES) == (folder / "train.csv", folder / "test.csv", folder / name)


def test_capitals_do_not_matter_and_the_plain_name_is_first(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "Train.csv", "TEST.CSV.zip")
    assert files_in(folder, FILES) == (folder / "Train.csv", folder / "TEST.CSV.zip", None)
    folder_of(tmp_path, "train.csv.zip")
    assert first_of(folder, "train.csv") == folder / "train.csv.zip"
    assert files_in(folder, ("Train.csv", "test.csv", None))[2] is None


@pytest.mark.parametrize(
    ("names", "files", "sentence"),
    [
        (["test.csv", "a.csv"], FILES, "train.csv is missing; it holds a.csv, test.csv"),
        ([], FILES, "train.csv is missing"),
        (["train.csv", "sample.csv"], FILES, "test.csv is missing, and sample.csv asks for its rows; it holds sample.csv, train.csv"),
        (["train.csv", "sample.csv", "a_submission.csv"], FILES, "which is the sample submission: a_submission.csv, sample.csv? say so in the recipe, as files = (…)"),
        (["train.csv"], ("train.csv", "test.csv", "mine.csv"), "mine.csv is missing; it holds train.csv"),
    ],
)  # fmt: skip
def test_a_file_that_is_missing_is_named(
    names: list[str], files: tuple[str, str, str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(KitError) as error:
        files_in(folder_of(tmp_path / "d", *names), files)
    assert str(error.value) == f"{tmp_path / 'd'}: {sentence}"


def test_where_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIT_DATA", "data")
    monkeypatch.setenv("KIT_KAGGLE_INPUT", "nowhere")
    put = "no files of 'mine': put train.csv, test.csv, sample_submission.csv into data/mine/"
    assert str(no_data(TASK)) == f"{put}; nothing that fits lies below nowhere either"
    assert "into data/mine/;" in str(no_data(TASK, ("a.csv", "b.csv", None))) and "put a.csv, b.csv into" in str(
        no_data(TASK, ("a.csv", "b.csv", None))
    )
    named = f"{put}, which is named by the task, Task(name='mine')"
    assert str(no_data(TASK, FILES, "other")) == f"{named}; nothing that fits lies below nowhere either"
    folder_of(tmp_path / "data/mine", "Training.csv")
    assert "; it holds Training.csv; nothing" in str(no_data(TASK))
    folder_of(tmp_path / "data/other", "train.csv")
    assert str(no_data(TASK, FILES, "other")) == f"{named}; data/other/ has train.csv: give folder and task one name"

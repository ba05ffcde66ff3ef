"""Ids: in any spelling, called anyhow, or none; and the rows that a sample submission asks for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.metrics import roc_auc
from kit.submit import submission
from kit.table import Table, read_table
from kit.task import Task

BIG = "123456789012345678901"  # 21 digits


def read(folder: Path, train: str, test: str | None = None, sample: str | None = None, id: str | None = "id") -> Table:
    """The table of three files; lines are separated by blanks."""
    paths: list[Path | None] = []
    for name, text in (("train.csv", train), ("test.csv", test), ("sample.csv", sample)):
        paths.append(None if text is None else folder / name)
        if text is not None:
            (folder / name).write_text(text.replace(" ", "\n") + "\n")
    assert paths[0] is not None
    return read_table(Task(name="t", kind="binary", targets="y", metric=roc_auc, id=id), *paths)  # type: ignore[arg-type]


def submitted(table: Table) -> tuple[list[str], list[str], list[float]]:
    """Columns, ids and values of a submission that predicts 0, 0.01, … for the test rows."""
    p = np.arange(len(table.test))[:, None] / 100
    frame = submission(table.task, table.sample, table.test[table.task.id], p)
    return list(frame.columns), frame.iloc[:, 0].tolist(), frame["y"].tolist()


TRAIN, TEST = "id,x,y 1,5,0 2,6,1 3,7,1", "id,x 11,5 12,6"


def test_rows_without_ids_are_numbered_and_get_those_of_the_sample(tmp_path: Path) -> None:
    for name in ("id", None):  # the default, which no file has, and none at all
        table = read(tmp_path, "x,y 5,0 6,1", "x 7 8 9", "ImageId,y 3,0 1,0 2,0", id=name)
        assert submitted(table) == (["ImageId", "y"], ["3", "1", "2"], [0.0, 0.01, 0.02]), "in the order of the sample"
        assert table.inputs == ["x"] and table.train["ImageId"].tolist() == ["0", "1"]
        assert table.notes[:2] == (
            "train.csv: its rows have no ids and are numbered",
            "test.csv: its rows have no ids and are numbered by sample.csv, in its order",
        )
    alone = read(tmp_path, "x,y 5,0 6,1", "x 7 8", id=None)
    assert submitted(alone) == (["id", "y"], ["2", "3"], [0.0, 0.01]), "numbers go on after those of train"
    assert len(alone.notes) == 2
    lone = read(tmp_path, "x,y 5,0 6,1", TEST)
    assert lone.train["id"].tolist() == ["0", "1"] and submitted(lone)[1] == ["11", "12"]
    assert read(tmp_path, "x,y 5,0 6,1", id=None).train["id"].tolist() == ["0", "1"]


def test_the_same_ids_in_both_files_name_different_rows(tmp_path: Path) -> None:
    table = read(tmp_path, TRAIN, "id,x 2,5 1,6", "id,y 1,0 2,0")
    assert table.notes == ("2 ids occur in train.csv and in test.csv: they name different rows",)
    assert submitted(table) == (["id", "y"], ["1", "2"], [0.01, 0.0])


@pytest.mark.parametrize(
    ("train", "test", "sample", "name"),
    [
        (TRAIN, "Id,x 11,5 12,6", None, "Id"),
        (TRAIN, TEST, "ID,y 12,0 11,0", "ID"),
        (TRAIN, "test_id,x 11,5 12,6", "test_id,y 12,0 11,0", "test_id"),
        (TRAIN, "test_id,x 11,5 12,6", None, "test_id"),
        (TRAIN, "key,x 11,5 12,6", "key,y 12,0 11,0", "key"),
        (TRAIN.replace("id", "PassengerId"), TEST.replace("id", "PassengerId"), "PassengerId,y 12,0 11,0", "PassengerId"),
    ],
)  # fmt: skip
def test_the_id_may_have_another_name_in_each_file(
    train: str, test: str, sample: str | None, name: str, tmp_path: Path
) -> None:
    table = read(tmp_path, train, test, sample)
    ids = ["12", "11"] if sample else ["11", "12"]
    assert submitted(table)[:2] == ([name, "y"], ids) and table.inputs == ["x"]
    assert any(name in note or "'id'" in note for note in table.notes)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("11,12", "11.0,12.0"), ("11.0,12.0", "11,12"), ("0011,0012", "11,12"), ("11,12", "0011,0012"),
     (f"{BIG},{BIG[:-1]}2", f"{BIG},{BIG[:-1]}2"), ("007,7a", "007,7a"), ("1e5,NA", "1e5,NA"), ("a b,True", "a b,True")],
)  # fmt: skip
def test_ids_are_written_as_in_the_sample(ours: str, theirs: str, tmp_path: Path) -> None:
    (a, b), (c, d) = ours.split(","), theirs.split(",")
    (tmp_path / "train.csv").write_text("id,x,y\n1,2,0\n2,3,1\n")
    (tmp_path / "test.csv").write_text(f"id,x\n{a},5\n{b},6\n")
    (tmp_path / "sample.csv").write_text(f"id,y\n{d},0\n{c},0\n")
    task = Task(name="t", kind="binary", targets="y", metric=roc_auc)
    table = read_table(task, *(tmp_path / name for name in ("train.csv", "test.csv", "sample.csv")))
    assert submitted(table) == (["id", "y"], [d, c], [0.01, 0.0])
    note = f"sample.csv: id {c} is {a} in test.csv; the submission writes {c}"
    assert table.notes == (() if ours == theirs else (note,))


def test_ids_that_would_become_equal_stay_apart(tmp_path: Path) -> None:
    with pytest.raises(KitError, match=r"^test.csv: 1 id occurs in sample.csv but not here: 7.0$"):
        read(tmp_path, TRAIN, "id,x 7,5 07,6", "id,y 7.0,0 07,0")


def test_a_sample_with_fewer_rows(tmp_path: Path) -> None:
    table = read(tmp_path, TRAIN, "id,x 11,5 12,6 13,7", "id,y 13,0 11,0")
    assert submitted(table) == (["id", "y"], ["13", "11"], [0.02, 0.0])
    assert table.notes == ("sample.csv: has 2 of the 3 test rows, and only these are submitted",)


def test_ids_of_frames_are_text_whatever_their_type() -> None:
    task = Task(name="t", kind="binary", targets="y", metric=roc_auc)
    train = pd.DataFrame({"id": [1.0, 2.0], "x": [1, 2], "y": [0, 1]})
    test, sample = pd.DataFrame({"id": [7, 8], "x": [1, 2]}), pd.DataFrame({"Id": [8.0, 7.0], "y": 0})
    table = Table(task, train, test, sample)
    assert table.train["Id"].tolist() == ["1", "2"] and submitted(table) == (["Id", "y"], ["8", "7"], [0.01, 0.0])


@pytest.mark.parametrize(
    ("train", "test", "sample", "sentence"),
    [
        ("x,y 5,0 6,1", "x 7 8", None, "train.csv: column 'id' is missing; Task(id=None) numbers rows; it has: x, y"),
        ("idd,y 5,0 6,1", "idd 7 8", None, "train.csv: column 'id' is missing; did you mean 'idd'?; it has: idd, y"),
        (TRAIN, "x 7 8", None, "test.csv: column 'id' is missing; Task(id=None) numbers rows; it has: x"),
        (TRAIN, TEST, "id,y 11,0 12,0 13,0", "test.csv: 1 id occurs in sample.csv but not here: 13"),
        (TRAIN, TEST, "id,y,kind 11,0,a 11,0,b", "sample.csv: 1 id occurs twice or more: 11; a submission has one row for each row of the test file, with a column for each target or class"),
        (TRAIN, TEST, "y 0 0", "sample.csv: no column names its rows; it has: y"),
        (TRAIN + " 3,1,1", TEST, None, "train.csv: 1 id occurs twice or more: 3; Task(id=None) numbers rows"),
    ],
)  # fmt: skip
def test_ids_that_cannot_be_read(train: str, test: str, sample: str | None, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(KitError) as error:
        read(tmp_path, train, test, sample)
    assert str(error.value) == sentence


def test_rows_that_cannot_be_matched(tmp_path: Path) -> None:
    said = "test.csv has 2 rows without ids, sample.csv has 3: rows can be matched neither by id nor by their order"
    with pytest.raises(KitError, match=f"^{said}$"):
        read(tmp_path, "x,y 5,0 6,1", "x 7 8", "ImageId,y 1,0 2,0 3,0", id=None)

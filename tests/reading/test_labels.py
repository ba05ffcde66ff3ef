"""Labels as files spell them: read by themselves, said in one note, refused in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.metrics import Metric, f1, log_loss, mean_roc_auc, rmse
from kit.table import Table, read_table
from kit.task import Task, label_text


def read(folder: Path, labels: list[Any], kind: str = "binary", classes: tuple[Any, ...] = ()) -> Table:
    """A table whose train file has these labels, as they stand."""
    metric: Metric = {"binary": f1, "multiclass": log_loss, "regression": rmse, "multilabel": mean_roc_auc}[kind]
    task = Task(name="t", kind=kind, targets="y", metric=metric, classes=classes)
    rows = "".join(f"{i},{i % 3},{label}\n" for i, label in enumerate(labels))
    (folder / "train.csv").write_text("id,x,y\n" + rows)
    return read_table(task, folder / "train.csv", None, None)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["No", "Yes", "Yes", "No"], ("No", "Yes")),
        (["yes", "no", "no", "yes"], ("no", "yes")),
        ([" True", "False ", "False", "True"], ("False", "True")),
        (["TRUE", "FALSE", "FALSE", "FALSE"], ("FALSE", "TRUE")),
        (["T", "F", "F", "T"], ("F", "T")),
        (["Y", "N", "Y", "Y"], ("N", "Y")),
        ([1, -1, -1, 1], (-1, 1)),
        ([2, 1, 1, 2], (1, 2)),
        (["2.0", "1.0", "1.0", "2.0"], (1, 2)),
        ([10, 9, 9, 10], (9, 10)),
        (["spam", "ham", "ham", "spam"], ("ham", "spam")),
        (["Yes", "Yes", "Yes", "Yes"], ("No", "Yes")),
        (["false", "false", "false", "false"], ("false", "true")),
    ],
)
def test_two_labels_are_read_and_the_positive_one_is_noted(labels: list[Any], classes: Any, tmp_path: Path) -> None:
    table = read(tmp_path, labels)
    assert table.task.classes == classes
    positive = [label_text(label) == label_text(classes[1]) for label in labels]
    assert table.y[:, 0].tolist() == [float(yes) for yes in positive]
    assert table.notes == (
        f"train.csv: the labels of 'y' are {classes[0]!r} and {classes[1]!r}; {classes[1]!r} counts as positive",
    )


@pytest.mark.parametrize("labels", [[0, 1, 1, 0], ["0.0", "1.0", "1.0", "0.0"], [" 0", "1 ", "1", "0"], [1, 1, 1, 1]])
def test_0_and_1_need_no_words(labels: list[Any], tmp_path: Path) -> None:
    table = read(tmp_path, labels)
    assert table.task.classes == () and table.notes == ()
    assert table.y[:, 0].tolist() == [float(label) for label in labels]


@pytest.mark.parametrize(
    ("classes", "labels", "y"),
    [
        (("NO", "YES"), ["yes", "No ", "YES"], [1, 0, 1]),
        ((False, True), ["True", "FALSE", "true"], [1, 0, 1]),
        ((1, 0), ["0", "1.0", "0.0"], [1, 0, 1]),
        (("a", "A"), ["A", "a", "A"], [1, 0, 1]),
        (("None", "NA"), ["NA", "None", "NA"], [1, 0, 1]),
    ],
)
def test_stated_classes_are_found_however_they_are_written(
    classes: Any, labels: list[Any], y: list[int], tmp_path: Path
) -> None:
    table = read(tmp_path, labels, classes=classes)
    assert table.y[:, 0].tolist() == y and table.task.classes == classes and table.notes == ()


def test_classes_that_a_task_leaves_open_are_those_of_train(tmp_path: Path) -> None:
    words = read(tmp_path, ["eel", "Dog", "cat", "eel"], "multiclass")
    assert words.task.classes == ("cat", "Dog", "eel") and words.y[:, 0].tolist() == [2, 1, 0, 2]
    assert words.task.outputs == 3 and words.notes == ("train.csv: 'y' has 3 classes: 'cat', 'Dog', 'eel'",)
    numbers = read(tmp_path, [10, 2, 0, 10], "multiclass")
    assert numbers.task.classes == (0, 2, 10), "by value, not by the alphabet"
    assert Task.from_dict(numbers.task.to_dict()) == numbers.task, "and they are a part of what a result depends on"


def test_words_for_yes_and_no_of_several_labels_become_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, ["True", "False", "True", "False"], "multilabel")
    assert table.y[:, 0].tolist() == [1, 0, 1, 0] and "'True' counts as positive" in table.notes[0]


def test_labels_of_a_frame_may_be_booleans() -> None:
    task = Task(name="t", kind="binary", targets="y", metric=f1)
    frame = pd.DataFrame({"id": ["1", "2"], "x": [1, 2], "y": [True, False]})
    table = Table(task, frame, frame[:0].drop(columns="y"))
    assert table.y.tolist() == [[1.0], [0.0]] and table.task.classes == ("False", "True")


@pytest.mark.parametrize(
    ("labels", "kind", "classes", "sentence"),
    [
        ([0, 1, "", 1, "NA"], "binary", (), "2 labels of 'y' are missing, the first at id 2; leave out their rows"),
        (["Yes", "No", ""], "binary", (), "1 label of 'y' is missing, the first at id 2; leave out its row"),
        ([0, 1, "l"], "binary", (), "1 label of 'y' is not 0 or 1, as a binary task needs: 'l' at id 2"),
        (["a", "b", "c"], "binary", (), "3 labels of 'y' are not 0 or 1, as a binary task needs: 'a' at id 0"),
        ([0.5, 0.25, 0.5], "binary", (), "3 labels of 'y' are not 0 or 1, as a binary task needs: 0.5 at id 0"),
        (["ham", "spam"], "multilabel", (), "2 labels of 'y' are not 0 or 1, as a multilabel task needs: 'ham' at id 0"),
        (["a", "b", "d"], "multiclass", ("a", "b", "c"), "1 label of 'y' is not one of a, b, c, as a multiclass task needs: 'd' at id 2"),
        (["a", "a"], "multiclass", (), "all labels of 'y' are 'a': there is nothing to learn"),
        ([1.5, 2.5, 3.25], "multiclass", (), "labels of 'y' are numbers such as 1.5, no classes; take kind='regression'"),
        ([1, "two", 3], "regression", (), "1 label of 'y' is not a finite number, as a regression task needs: 'two' at id 1"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_read(labels: list[Any], kind: str, classes: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(KitError) as error:
        read(tmp_path, labels, kind, classes)
    assert str(error.value) == f"train.csv: {sentence}"


@pytest.mark.parametrize(
    ("kind", "a", "b", "found"),
    [
        (
            "regression",
            ["0.5", "NA", "2", ""],
            ["1", "", "-3", ""],
            [[0.5, 1], [np.nan, np.nan], [2, -3], [np.nan] * 2],
        ),
        ("multilabel", ["1", "0", "", "n/a"], ["0", "1", "1", ""], [[1, 0], [0, 1], [np.nan, 1], [np.nan] * 2]),
        ("multilabel", ["Yes", "No", "", "NULL"], ["0", "1.0", "1", ""], [[1, 0], [0, 1], [np.nan, 1], [np.nan] * 2]),
    ],
)
def test_labels_of_several_targets_may_have_gaps(
    kind: Any, a: list[str], b: list[str], found: Any, tmp_path: Path
) -> None:
    lines = [f"{i},1,{one},{two}" for i, (one, two) in enumerate(zip(a, b, strict=True))]
    (tmp_path / "train.csv").write_text("\n".join(["id,x,a,b", *lines]) + "\n")
    task = Task(name="t", kind=kind, targets=("a", "b"), metric=rmse)
    table = read_table(task, tmp_path / "train.csv", None, None)
    assert np.array_equal(table.y, found, equal_nan=True)
    counts = np.isnan(found).sum(axis=0)
    blank = int(np.isnan(found).all(axis=1).sum())
    assert any(
        note == f"train.csv: labels are missing in 'a' ({counts[0]}), 'b' ({counts[1]}): each target is learnt and "
        f"scored over its known rows; {blank} rows have no label at all and are not learnt from"
        for note in table.notes
    )


def test_what_is_no_label_is_refused_beside_gaps_and_so_is_a_target_without_any(tmp_path: Path) -> None:
    for b, sentence in {
        ("1", "", "two"): "1 label of 'b' is not a finite number, as a regression task needs: 'two' at id 2",
        ("", "", "NA"): "all labels of 'b' are missing",
    }.items():
        (tmp_path / "train.csv").write_text("id,x,a,b\n" + "".join(f"{i},1,2,{v}\n" for i, v in enumerate(b)))
        task = Task(name="t", kind="regression", targets=("a", "b"), metric=rmse)
        with pytest.raises(KitError) as error:
            read_table(task, tmp_path / "train.csv", None, None)
        assert str(error.value) == f"train.csv: {sentence}"


def test_encoding_is_the_same_for_every_type_of_a_label() -> None:
    task = Task(name="t", kind="multiclass", targets="y", classes=(1, 2, "x"), metric=log_loss)
    found = task.encode(pd.DataFrame({"y": [1, 1.0, "1", " 1.0 ", 2, "X", "z", None, np.nan]}))
    assert np.array_equal(found[:, 0], [0, 0, 0, 0, 1, 2, np.nan, np.nan, np.nan], equal_nan=True)
    assert [label_text(v) for v in (True, "TRUE ", 3.0, "3.", "03", 1.5, "", " ", None, float("nan"), pd.NA)] == [
        "True", "TRUE", "3", "3", "03", "1.5", None, None, None, None, None,
    ]  # fmt: skip

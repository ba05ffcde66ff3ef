"""What a plain frame seems to be, and that what is given wins over what is guessed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.guess import as_frame, as_labels, guess_kind, guess_task, guess_text, read_as
from kit.members import Linear
from kit.metrics import log_loss, mean_roc_auc, rmse, roc_auc
from kit.table import read_table
from kit.task import Task

REVIEWS = [f"the {word} was rather good that day" for word in ("tea", "soup", "bread", "cake", "rice", "fish")]


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        (np.zeros((3, 2)), ["x0", "x1"]),
        (["a b", "c d", "e"], ["text"]),
        (np.array(["a", "b"]), ["text"]),
        (pd.Series([1, 2]), ["x0"]),
        (pd.Series(["a", "b"], name="review"), ["review"]),
        (pd.DataFrame({1: [0], "b": [1]}), ["1", "b"]),
        ({"a": [1, 2], "b": [3, 4]}, ["a", "b"]),
    ],
)
def test_columns_of_whatever_is_given(data: Any, columns: list[str]) -> None:
    assert list(as_frame(data).columns) == columns


def test_a_frame_keeps_its_rows_and_is_left_as_it_is() -> None:
    given = pd.DataFrame({7: [1, 2]}, index=[5, 9])
    assert as_frame(given).index.tolist() == [0, 1] and given.index.tolist() == [5, 9] and list(given) == [7]


def test_arrays_of_other_shapes_are_refused_with_the_shape_that_is_meant() -> None:
    with pytest.raises(KitError, match=r"^train: an array of shape \(4, 2, 3\); .* such as reshape\(4, 6\) gives$"):
        as_frame(np.zeros((4, 2, 3)), "train")
    with pytest.raises(KitError, match=r"^rows: an array of shape \(4,\); .* such as reshape\(-1, 1\) gives$"):
        as_frame(np.zeros(4))
    with pytest.raises(KitError, match="^rows: there are no rows$"):
        as_frame(pd.DataFrame({"a": []}))


def test_labels_have_a_name_and_none_is_missing() -> None:
    assert list(as_labels([0, 1], 2)) == ["y"] and list(as_labels(pd.Series([0, 1], name="sold"), 2)) == ["sold"]
    assert list(as_labels(np.zeros((2, 2)), 2)) == ["y0", "y1"] and list(as_labels(np.zeros((2, 1)), 2)) == ["y"]
    with pytest.raises(KitError, match="^y: 3 labels, but there are 2 rows$"):
        as_labels([0, 1, 0], 2)
    with pytest.raises(KitError, match="^y: 1 labels of 'y' is missing$"):
        as_labels([0.0, np.nan], 2)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([0, 1, 1, 0], "binary"),
        (["no", "yes", "no", "no"], "binary"),
        ([True, False, True, True], "binary"),
        ([0.0, 1.0, 0.0, 1.0], "binary"),
        (["1", 1, 1.0, "0"], "binary"),  # as the reader of files has it, 1, 1.0 and "1" are one label
        (["Yes", " Yes", "no", "Yes "], "binary"),
        (["1.5", "2.5", "3.25", "0.5"], "regression"),
        (["1", "2", "3", "1", "2", "3"], "multiclass"),
        ([0.5, 0.25, 0.5], "regression"),
        (np.array([["no", "1"], ["yes", "0"]]), "multilabel"),
        (np.array([["no", "1"], ["yes", "2"]])[:, 1:], "binary"),
        (["a", "b", "c", "a"], "multiclass"),
        ([0, 1, 2, 0, 1, 2], "multiclass"),
        ([1.5, 2.5, 3.25, 0.5], "regression"),
        (list(range(100)), "regression"),
        ([3, 1, 2], "regression"),  # as many values as rows are no classes
        (np.array([[0, 1], [1, 1], [0, 0]]), "multilabel"),
        (np.array([[0.5, 1], [1, 1], [0, 0]]), "regression"),
    ],
)
def test_the_kind_is_guessed_from_the_labels(labels: Any, kind: str) -> None:
    assert guess_kind(as_labels(labels, len(labels))) == kind


def test_labels_of_no_kind_are_refused() -> None:
    with pytest.raises(KitError, match="^target 'y': all labels are 1, so there is nothing to learn$"):
        guess_kind(as_labels([1, 1], 2))
    with pytest.raises(
        KitError, match="^target 'b': several targets are no and yes each, .* or numbers; these are words$"
    ):
        guess_kind(pd.DataFrame({"a": [0, 1], "b": ["x", "z"]}))


def test_text_is_distinguished_from_categories_and_numbers() -> None:
    frame = pd.DataFrame({
        "review": REVIEWS, "colour": ["light sea green", "red"] * 3, "price": range(6), "name": list("abcdef"),
        "chinese": ["今天天气很好我们去公园散步然后回家吃饭睡觉" + word for word in "甲乙丙丁戊己"],
    })  # fmt: skip
    frame.loc[0, "review"] = None
    assert guess_text(frame) == ("review", "chinese", "colour")[:2]


@pytest.mark.parametrize(
    ("labels", "metric", "classes"),
    [
        ([0, 1] * 3, roc_auc, ()),
        (["no", "yes"] * 3, roc_auc, ("no", "yes")),
        ([1, 2, 3] * 2, log_loss, (1, 2, 3)),
        ([1.5, 2.5, 3.25] * 2, rmse, ()),
        (np.eye(6)[:, :2], mean_roc_auc, ()),
    ],
)
def test_a_task_has_the_usual_metric_and_the_labels_classes(labels: Any, metric: Any, classes: tuple[Any, ...]) -> None:
    task = guess_task(as_frame(REVIEWS), as_labels(labels, 6))
    assert (task.metric.name, task.classes, task.text, task.inputs) == (metric.name, classes, ("text",), ("text",))
    encoded = task.encode(as_labels(labels, 6))
    assert encoded.shape == (6, len(task.targets)) and np.isfinite(encoded).all()


def test_an_id_is_no_input() -> None:
    labels = as_labels([0, 1] * 3, 6)
    task = guess_task(as_frame({"ID": range(6), "price": range(6)}), labels)
    assert (task.id, task.inputs) == ("ID", ("price",))
    assert guess_task(as_frame({"id": [1, 1, 2, 2, 3, 3], "price": range(6)}), labels).inputs == ("id", "price")


def test_what_is_given_is_not_guessed() -> None:
    frame, labels = as_frame({"review": REVIEWS, "price": range(6)}), as_labels([1, 2, 3] * 2, 6)
    task = guess_task(frame, labels, kind="regression", text=(), metric=log_loss)
    assert (task.kind, task.text, task.metric.name, task.classes) == ("regression", (), "log_loss", ())
    assert guess_task(frame, labels, text="review").text == ("review",)
    with pytest.raises(KitError, match="^text: there is no column 'revew'; did you mean 'review'"):
        guess_task(frame, labels, text="revew")
    with pytest.raises(KitError, match="^kind = 'binari': there is no such kind of task; did you mean 'binary'"):
        guess_task(frame, labels, kind="binari")


def test_dates_and_numbers_of_many_letters_are_no_text() -> None:
    frame = pd.DataFrame(
        {
            "when": [f"2020-01-{day:02d}T10:00:00.000+02:00" for day in range(1, 13)],
            "amount": [f"1 234 567 890 12{i % 10},5{i}" for i in range(12)],
            "note": [f"the tea of day {i} was good" for i in range(12)],
        }
    )
    assert guess_text(frame) == ("note",)


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "Yes", "no", "Yes", "no", "no"],
        ["Yes ", "no", " Yes", "no", "no", "Yes"],
        [True, False, True, True, False, True],
        ["1", 0, 1.0, "0", 0.0, 1],
        [-1, 1, 1, -1, 1, -1],
        ["ham", "spam", "Ham ", "spam", "ham", "spam"][:2] * 3,
        ["3", "1", "2", "3", "1", "2"],
        ["b", "A", "c", "b", "A", "c"],
        [["no", "1"], ["yes", "0"], ["no", "0"], ["yes", "1"], ["no", "0"], ["no", "1"]],
        [0.5, 1.25, 3.0, 0.5, 2.0, 2.5],
    ],
    ids=str,
)
def test_labels_of_a_frame_are_read_as_those_of_a_file(labels: Any, tmp_path: Path) -> None:
    """The same classes, in the same order, and the same numbers: one definition for both."""
    given = as_labels(pd.DataFrame(labels, dtype=object).set_axis([f"y{i}" for i in range(np.ndim(labels))], axis=1), 6)
    task = guess_task(as_frame(REVIEWS), given)
    rows = pd.DataFrame({"id": range(6), "text": REVIEWS}).join(given)
    rows.to_csv(tmp_path / "train.csv", index=False)
    of_file = Task(name="f", kind=task.kind, targets=task.targets, text="text", metric=task.metric)
    table = read_table(of_file, tmp_path / "train.csv", None, None)
    assert [*map(str, task.classes)] == [*map(str, table.task.classes)]
    member = Linear(char=None).fit(REVIEWS, given)
    assert member.task.classes == task.classes
    np.testing.assert_array_equal(task.encode(read_as(task, given)[1]), table.y)


def test_labels_that_are_none_of_the_task_are_refused_by_the_readers_sentence() -> None:
    with pytest.raises(KitError, match="^y: 4 labels of 'y' are not 0 or 1, as a binary task needs: '?2'? at id 1$"):
        guess_task(as_frame(REVIEWS), as_labels([1, 2, 3] * 2, 6), kind="binary")
    fitted = Linear(char=None)
    with pytest.raises(
        KitError, match="^valid: 1 label of 'y' is not one of no, yes, as a binary task needs: 'maybe' at id 1$"
    ):
        fitted.fit(REVIEWS, ["no", "yes"] * 3, (REVIEWS[:2], ["no", "maybe"]))

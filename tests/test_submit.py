"""Submission files: aligned with the sample, refused when wrong, whole or absent on disk."""

import io
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import KitError
from kit.metrics import f1, log_loss, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from kit.reading.quoting import Quoting, quoting_of
from kit.submit import check, submission, write
from kit.table import read_table
from kit.task import Task

IDS = ["00012", "7", "b", "00001"]
TOXIC = Task(name="toxic", kind="multilabel", targets=("toxic", "threat"), metric=mean_roc_auc)
BINARY = Task(name="pairs", kind="binary", targets=("same",), metric=roc_auc)
PETS = Task(name="pets", kind="multiclass", targets=("pet",), classes=("cat", "dog", "eel"), metric=log_loss)
PRICE = Task(name="house", kind="regression", targets=("price",), metric=rmse)
P = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])


def sample_of(ids: list[Any], *columns: str) -> pd.DataFrame:
    return pd.DataFrame({"id": ids} | dict.fromkeys(columns, 0.5))


SAMPLE = sample_of(["b", "00001", "00012", "7"], "threat", "toxic")


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(KitError) as error:
        call(*args, **kwargs)
    return str(error.value)


# ---- alignment ---------------------------------------------------------------------------------


def test_rows_and_columns_follow_the_sample() -> None:
    frame = submission(TOXIC, SAMPLE, IDS, P)
    assert list(frame.columns) == ["id", "threat", "toxic"]
    assert frame["id"].tolist() == ["b", "00001", "00012", "7"]
    assert frame["toxic"].tolist() == [0.5, 0.7, 0.1, 0.3]
    assert frame["threat"].tolist() == [0.6, 0.8, 0.2, 0.4]


def test_values_scored_by_kappa_become_whole_grades() -> None:
    essays = Task(name="essays", kind="regression", targets=("score",), metric=quadratic_kappa)
    p = np.array([[0.2], [1.3], [2.7], [9.0]])
    assert submission(essays, None, IDS, p, (1.0, 1.2, 3.0))["score"].tolist() == [1, 2, 2, 3]
    frame = submission(essays, None, IDS, p)  # nothing was learnt: rounded, as the metric rounds
    assert frame["score"].tolist() == [0, 1, 3, 9] and frame["score"].dtype.kind == "i"
    words = Task(name="w", kind="binary", targets=("same",), classes=("no", "yes"), metric=quadratic_kappa)
    assert submission(words, None, IDS, p / 10, (0.0, 0.2))["same"].tolist() == ["no", "no", "yes", "yes"]


def test_without_a_sample_rows_follow_the_test() -> None:
    frame = submission(TOXIC, None, IDS, P)
    assert list(frame.columns) == ["id", "toxic", "threat"]
    assert frame["id"].tolist() == IDS and frame["toxic"].tolist() == P[:, 0].tolist()


def test_the_id_column_may_stand_anywhere_and_be_numbers() -> None:
    sample = pd.DataFrame({"toxic": 0, "id": [11, 10], "threat": 0})
    frame = submission(TOXIC, sample, np.array([10, 11]), P[:2])
    assert list(frame.columns) == ["toxic", "id", "threat"]
    assert frame["id"].tolist() == ["11", "10"] and frame["toxic"].tolist() == [0.3, 0.1]


def test_test_rows_that_the_sample_does_not_ask_for_are_left_out() -> None:
    more = submission(TOXIC, SAMPLE, [*IDS, "c"], np.vstack([P, P[:1]]))
    pd.testing.assert_frame_equal(more, submission(TOXIC, SAMPLE, IDS, P))


@pytest.mark.parametrize(
    ("classes", "theirs", "written"),
    [
        ((), [True, False], ["False", "True"]),
        ((), ["FALSE", "FALSE"], ["FALSE", "TRUE"]),
        ((), ["n", "n"], ["n", "y"]),
        ((), ["No", "Yes"], ["No", "Yes"]),
        ((), [0, 0], [0, 1]),
        ((), [0.5, 0.5], [0, 1]),
        ((), [None, None], [0, 1]),
        (("no", "yes"), ["Yes", "Yes"], ["No", "Yes"]),
        (("no", "yes"), [0, 0], [0, 1]),
        (("ham", "spam"), ["Spam", "Ham"], ["Ham", "Spam"]),
        ((-1, 1), [1, 1], [-1, 1]),
        ((1, 2), ["2", "2"], [1, 2]),
        ((1, 2), [0, 0], [0, 1]),
        ((-1, 1), [0.5, 0.1], [-1, 1]),
    ],
)
def test_labels_are_written_as_in_the_sample(classes: Any, theirs: Any, written: list[Any], tmp_path: Path) -> None:
    task = Task(name="t", kind="binary", targets="y", classes=classes, metric=f1)
    sample = pd.DataFrame({"id": ["1", "2"], "y": theirs})
    frame = submission(task, sample, ["1", "2"], np.array([[0.1], [0.9]]))
    assert frame["y"].tolist() == written
    assert write(tmp_path / "s.csv", frame, task, sample) == []
    soft = submission(task.override("metric=roc_auc"), sample, ["1", "2"], np.array([[0.1], [0.9]]))
    assert soft["y"].tolist() == [0.1, 0.9], "a metric of probabilities gets probabilities, whatever the sample holds"


def test_classes_are_written_as_in_the_sample() -> None:
    p = np.eye(3)
    frame = submission(PETS, pd.DataFrame({"id": ["1", "2", "3"], "pet": ["Dog", "Dog", "Cat"]}), ["1", "2", "3"], p)
    assert frame["pet"].tolist() == ["Cat", "Dog", "eel"], (
        "a class that the sample does not hold is spelled as in train"
    )
    frame = submission(PETS, pd.DataFrame({"id": ["1", "2", "3"], "pet": ["none"] * 3}), ["1", "2", "3"], p)
    assert frame["pet"].tolist() == ["cat", "dog", "eel"]


def test_a_lone_column_of_another_name_is_the_target() -> None:
    frame = submission(BINARY, sample_of(["2", "1"], "prediction"), ["1", "2"], np.array([[0.25], [0.75]]))
    assert frame.to_dict("list") == {"id": ["2", "1"], "prediction": [0.75, 0.25]}


def test_classes_as_probabilities_or_as_a_label() -> None:
    p = np.array([[0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    frame = submission(PETS, sample_of(["2", "1"], "eel", "cat", "dog"), ["1", "2"], p)
    assert frame.to_dict("list") == {"id": ["2", "1"], "eel": [0.7, 0.1], "cat": [0.1, 0.2], "dog": [0.2, 0.7]}
    labelled = {"id": ["2", "1"], "pet": ["eel", "dog"]}
    assert submission(PETS, sample_of(["2", "1"], "pet"), ["1", "2"], p).to_dict("list") == labelled
    assert submission(PETS, None, ["1", "2"], p).to_dict("list") == {"id": ["1", "2"], "pet": ["dog", "eel"]}


@pytest.mark.parametrize(
    ("metric", "expected"), [(f1, [0, 0, 1, 1]), (f1.at(0.3), [0, 1, 1, 1]), (f1.at(0.6), [0, 0, 0, 1])]
)
def test_metrics_of_labels_get_labels(metric: Any, expected: list[int]) -> None:
    task = Task(name="pairs", kind="binary", targets=("same",), metric=metric)
    frame = submission(task, None, ["1", "2", "3", "4"], np.array([[0.1], [0.4], [0.5], [0.9]]))
    assert frame["same"].tolist() == expected and frame["same"].dtype.kind == "i"
    assert check(frame, task) == []


def test_labels_are_the_words_of_the_task_and_thresholds_are_kept_to() -> None:
    task = Task(name="pairs", kind="binary", targets=("same",), classes=("no", "yes"), metric=f1)
    p = np.array([[0.1], [0.4], [0.5], [0.9]])
    assert submission(task, None, list("1234"), p)["same"].tolist() == ["no", "no", "yes", "yes"]
    frame = submission(task, sample_of(list("4321"), "answer"), list("1234"), p, (0.4,))
    assert frame.to_dict("list") == {"id": list("4321"), "answer": ["yes", "yes", "yes", "no"]}
    assert check(frame, task, sample_of(list("4321"), "answer")) == []
    assert refused(check, frame.replace("no", "No"), task, sample_of(list("4321"), "answer")) == (
        "submission.csv: column 'answer': id 1 has the value 'No', which is no label; labels are: no, yes"
    )
    ranked = Task(name="pairs", kind="binary", targets=("same",), classes=("no", "yes"), metric=roc_auc)
    assert submission(ranked, None, list("1234"), p)["same"].tolist() == p[:, 0].tolist()
    many = Task(name="toxic", kind="multilabel", targets=("toxic", "threat"), metric=f1)
    frame = submission(many, SAMPLE, IDS, P, (0.3, 0.7))  # one a column, in the order of the task
    assert frame["toxic"].tolist() == [1, 1, 0, 1] and frame["threat"].tolist() == [0, 1, 0, 0]


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(12)), seed=st.integers(0, 99))
def test_every_prediction_stays_with_its_id(order: list[int], seed: int) -> None:
    ids = [f"{i:03d}" for i in range(12)]
    p = np.random.default_rng(seed).random((12, 2))
    sample = sample_of([ids[i] for i in order], "toxic", "threat")
    frame = submission(TOXIC, sample, ids, p)
    assert frame["id"].tolist() == [ids[i] for i in order]
    np.testing.assert_array_equal(frame[["toxic", "threat"]].to_numpy(), p[list(order)])


# ---- refusals of submission --------------------------------------------------------------------


def test_submission_refuses_what_does_not_fit() -> None:
    assert refused(submission, TOXIC, None, IDS, P[:, :1]) == (
        "predictions: shape (4, 1); 4 ids of task 'toxic' need (4, 2)"
    )
    assert (
        refused(submission, TOXIC, None, IDS[:3], P) == "predictions: shape (4, 2); 3 ids of task 'toxic' need (3, 2)"
    )
    assert refused(submission, TOXIC, SAMPLE, ["7", "b", "00001", "12"], P) == (
        "test rows: id 00012 is missing of those in sample_submission.csv; "
        "it has '12': read ids as strings to keep '00012'"
    )
    assert refused(submission, TOXIC, SAMPLE, ["7", "7", "b", "00001"], P) == "test rows: id 7 occurs twice"


@pytest.mark.parametrize("task", [TOXIC, Task(name="toxic", kind="multilabel", targets=("toxic", "threat"), metric=f1)])
def test_a_label_does_not_hide_nan(task: Task) -> None:
    p = P.copy()
    p[[0, 2], 1] = np.nan, np.inf
    assert refused(submission, task, None, IDS, p) == (
        "predictions: column 'threat': 2 ids (00012, b) have NaN or infinity"
    )


def test_argmax_does_not_hide_nan() -> None:
    assert refused(submission, PETS, None, ["1"], np.array([[0.1, np.nan, 0.2]])) == (
        "predictions: column 'dog': id 1 has NaN or infinity"
    )


def test_samples_of_another_competition() -> None:
    assert refused(submission, TOXIC, SAMPLE.rename(columns={"id": "Id"}), IDS, P) == (
        "sample_submission.csv: column 'id' is missing; did you mean 'Id'?"
    )
    assert refused(submission, TOXIC, SAMPLE.rename(columns={"threat": "thread"}), IDS, P) == (
        "sample_submission.csv: column 'threat' is missing; did you mean 'thread'?"
    )
    assert refused(submission, TOXIC, SAMPLE.assign(insults=0), IDS, P) == (
        "sample_submission.csv: column 'insults' is not predicted by task 'toxic'; there are: toxic, threat"
    )
    assert refused(submission, PETS, sample_of(["1"], "cat", "eel"), ["1"], np.ones((1, 3)) / 3) == (
        "sample_submission.csv: column 'dog' is missing; there are: cat, eel"
    )
    assert refused(submission, TOXIC, pd.concat([SAMPLE, SAMPLE[:2]]), IDS, P) == (
        "sample_submission.csv: 2 ids (b, 00001) occur twice"
    )


# ---- refusals of check -------------------------------------------------------------------------


def good() -> pd.DataFrame:
    return submission(TOXIC, SAMPLE, IDS, P)


def test_check_accepts_what_submission_makes() -> None:
    assert check(good(), TOXIC, SAMPLE) == []
    assert check(good()[["id", "toxic", "threat"]], TOXIC) == []
    assert check(good()[::-1], TOXIC, SAMPLE) == []  # the site joins by id


def test_check_refuses_wrong_columns() -> None:
    wanted = "they must be: id, threat, toxic"
    assert refused(check, good().drop(columns="toxic"), TOXIC, SAMPLE) == (
        f"submission.csv: columns are: id, threat; {wanted}"
    )
    assert refused(check, good().assign(more=0), TOXIC, SAMPLE, "mine.csv") == (
        f"mine.csv: columns are: id, threat, toxic, more; {wanted}"
    )
    assert refused(check, good()[["id", "toxic", "threat"]], TOXIC, SAMPLE) == (
        f"submission.csv: columns are: id, toxic, threat; {wanted}"
    )


def test_check_refuses_wrong_rows() -> None:
    assert refused(check, good()[:0], TOXIC, SAMPLE) == "submission.csv: it has no rows"
    assert refused(check, good()[:3], TOXIC, SAMPLE) == (
        "submission.csv: id 7 is missing of those in sample_submission.csv (3 rows, not 4)"
    )
    assert refused(check, good()[:1], TOXIC, SAMPLE) == (
        "submission.csv: 3 ids (00001, 00012, 7) are missing of those in sample_submission.csv (1 rows, not 4)"
    )
    assert refused(check, pd.concat([good(), good()[1:3]]), TOXIC, SAMPLE) == (
        "submission.csv: 2 ids (00001, 00012) occur twice"
    )
    assert refused(check, pd.concat([good(), good()]), TOXIC, SAMPLE) == (
        "submission.csv: 4 ids (b, 00001, 00012 …) occur twice"
    )
    extra = pd.concat([good(), good()[:1].assign(id="00013")])
    assert refused(check, extra, TOXIC, SAMPLE) == (
        "submission.csv: id 00013 is not in sample_submission.csv (5 rows, not 4); the nearest is '00012'"
    )
    assert refused(check, good().replace({"id": {"00012": "00022"}}), TOXIC, SAMPLE) == (
        "submission.csv: id 00012 is missing of those in sample_submission.csv; the nearest is '00022'"
    )


def test_check_finds_lost_leading_zeros() -> None:
    numbers = good().replace({"id": {"00012": "12"}})
    assert refused(check, numbers, TOXIC, SAMPLE) == (
        "submission.csv: id 00012 is missing of those in sample_submission.csv; "
        "it has '12': read ids as strings to keep '00012'"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, "high", None])
def test_check_refuses_what_is_no_number(bad: Any) -> None:
    frame = good().astype({"toxic": object})
    frame.loc[2, "toxic"] = bad
    assert (
        refused(check, frame, TOXIC, SAMPLE)
        == "submission.csv: column 'toxic': id 00012 has NaN, infinity or no number"
    )


def test_check_refuses_logits_but_not_of_a_regression() -> None:
    frame = submission(TOXIC, SAMPLE, IDS, P * [1, 3])
    assert refused(check, frame, TOXIC, SAMPLE) == (
        "submission.csv: column 'threat': 3 ids (b, 00001, 7) are outside [0, 1], such as 1.8; "
        "a multilabel task needs probabilities, so take the sigmoid or softmax of logits"
    )
    assert refused(check, submission(BINARY, None, ["1"], np.array([[-0.5]])), BINARY) == (
        "submission.csv: column 'same': id 1 is outside [0, 1], such as -0.5; "
        "a binary task needs probabilities, so take the sigmoid or softmax of logits"
    )
    assert check(submission(PRICE, None, ["1", "2"], np.array([[-5.0], [1e6]])), PRICE) == []


def test_check_refuses_unknown_labels() -> None:
    frame = pd.DataFrame({"id": ["1", "2"], "pet": ["cat", "cow"]})
    assert refused(check, frame, PETS) == (
        "submission.csv: column 'pet': id 2 has the value 'cow', which is no label; labels are: cat, dog, eel"
    )
    task = Task(name="pairs", kind="binary", targets=("same",), metric=f1)
    assert refused(check, pd.DataFrame({"id": ["1", "2"], "same": [0.3, 1]}), task) == (
        "submission.csv: column 'same': id 1 has the value '0.3', which is no label; labels are: 0, 1"
    )


def test_a_constant_column_is_only_a_warning() -> None:
    frame = good().assign(toxic=0.5)
    assert check(frame, TOXIC, SAMPLE) == ["submission.csv: column 'toxic' is 0.5 in every row"]
    assert check(frame[:1], TOXIC, SAMPLE[:1]) == []  # one row is always constant


# ---- writing -----------------------------------------------------------------------------------


def test_written_as_it_is_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    assert write(tmp_path / "out" / "submission.csv", good(), TOXIC, SAMPLE) == []
    assert (tmp_path / "out" / "submission.csv").read_bytes() == (
        b"id,threat,toxic\nb,0.6,0.5\n00001,0.8,0.7\n00012,0.2,0.1\n7,0.4,0.3\n"
    )
    write(tmp_path / "again.csv", good(), TOXIC, SAMPLE)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out" / "submission.csv").read_bytes()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["submission.csv"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_awkward_ids_and_numbers_come_back_exactly(tmp_path: Path, dtype: Any) -> None:
    ids = ["00012", "NA", "1e5", "a,b", 'say "x"', "two\nlines", " space ", "é", "null", "1.0"]
    rng = np.random.default_rng(0)
    p = np.concatenate([[1e-320, 1e-12, 1 / 3, 0.1 + 0.2, 1 - 2**-53], rng.random(5)])[:, None]
    frame = submission(BINARY, None, ids, p).astype({"same": dtype})
    write(tmp_path / "s.csv", frame, BINARY)
    back = pd.read_csv(tmp_path / "s.csv", dtype=str, keep_default_na=False)
    assert back["id"].tolist() == ids
    assert [dtype(x) for x in back["same"]] == frame["same"].tolist()


def test_a_refused_frame_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "best.csv"
    write(path, good(), TOXIC, SAMPLE)
    before = path.read_bytes()
    frame = good()
    frame.loc[0, "threat"] = np.nan
    assert refused(write, path, frame, TOXIC, SAMPLE) == (
        "best.csv: column 'threat': id b has NaN, infinity or no number"
    )
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_file_that_does_not_read_back_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "submission.csv"
    write(path, good(), TOXIC, SAMPLE)
    before, real = path.read_bytes(), cast(Any, pd.read_csv)

    def spoilt(column: str, value: str) -> Any:
        return lambda path, **settings: real(path, **settings).assign(**{column: value})

    for column, value in (("id", "12"), ("toxic", "0.25")):
        monkeypatch.setattr(pd, "read_csv", spoilt(column, value))
        assert refused(write, path, good().assign(threat=0.1), TOXIC, SAMPLE) == (
            f"submission.csv: column '{column}' does not read back as it was written; nothing changed"
        )
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fails_midway_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "submission.csv"
    write(path, good(), TOXIC, SAMPLE)
    before = path.read_bytes()

    def half(self: pd.DataFrame, file: Path, **_: Any) -> None:
        file.write_text("id,thr")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises(KitError, match=r"^cannot write .*submission.csv: no space left on device$"):
        write(path, good().assign(threat=0.1), TOXIC, SAMPLE)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_warnings_come_back_from_write_and_the_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    assert write(path, good().assign(toxic=0), TOXIC, SAMPLE) == ["s.csv: column 'toxic' is 0 in every row"]
    assert path.exists()


@pytest.mark.parametrize("separator, sign", [(";", ","), ("\t", "."), (",", ".")])
def test_the_submission_has_the_separator_and_the_decimal_sign_of_the_sample(
    separator: str, sign: str, tmp_path: Path
) -> None:
    files = {
        "train.csv": "id,x,sold\n1,2,0\n2,3,1\n",
        "test.csv": "id,x\n3,2\n4,5\n",
        "sample.csv": separator.join(["id", "sold"]) + f"\n4{separator}0{sign}5\n3{separator}0{sign}5\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    task = Task(name="t", kind="binary", targets="sold", metric=roc_auc)
    table = read_table(task, *(tmp_path / name for name in files))
    frame = submission(task, table.sample, table.test["id"], np.array([[0.25], [0.75]]))
    write(tmp_path / "s.csv", frame, task, table.sample, table.separator)
    rows = [["id", "sold"], ["4", f"0{sign}75"], ["3", f"0{sign}25"]]
    assert (tmp_path / "s.csv").read_text() == "".join(separator.join(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    "sample, written",
    [
        ('"id","sold"\n"4","0.5"\n"3","0.5"\n', '"id","sold"\n"4","0.75"\n"3","0.25"\n'),
        ('"id","sold"\n4,0.5\n3,0.5\n', '"id","sold"\n4,0.75\n3,0.25\n'),
        ('id;sold\r\n"4";0,5\r\n"3";0,5\r\n', 'id;sold\n"4";0,75\n"3";0,25\n'),
        ('a title\n"id","sold"\n"4",0.5\n"3",0.5\n', '"id","sold"\n"4",0.75\n"3",0.25\n'),
        ('id,sold\n"4",0.5\n3,0.5\n', "id,sold\n4,0.75\n3,0.25\n"),  # where a field needs none
    ],
)
def test_the_submission_has_the_quotes_of_the_sample(sample: str, written: str, tmp_path: Path) -> None:
    files = {"train.csv": "id,x,sold\n1,2,0\n2,3,1\n", "test.csv": "id,x\n3,2\n4,5\n", "sample.csv": sample}
    for name, text in files.items():
        (tmp_path / name).write_text(text, newline="")
    task = Task(name="t", kind="binary", targets="sold", metric=roc_auc)
    table = read_table(task, *(tmp_path / name for name in files))
    frame = submission(task, table.sample, table.test["id"], np.array([[0.25], [0.75]]))
    write(tmp_path / "s.csv", frame, task, table.sample, table.separator, table.quoting)
    assert (tmp_path / "s.csv").read_text() == written


def test_quoted_fields_read_back_as_they_are() -> None:
    frame = pd.DataFrame({"id": ['a"b', "c,d", "007"], "y": [0.1, 1e-7, 1 / 3]})
    for quoting in (Quoting(True, ("id", "y")), Quoting(False, ("id",)), Quoting(True, ())):
        text = quoting.text(frame, ",", ".")
        back = pd.read_csv(io.StringIO(text), dtype={"id": str}, float_precision="round_trip")
        pd.testing.assert_frame_equal(back, frame, check_dtype=False)
        assert quoting_of(text, ",", ["id", "y"]) == quoting

"""Task, Table, Source and Rows: what is read, what is refused and in which words, what is computed once."""

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.metrics import f1, log_loss, rmse, roc_auc
from kit.reading.form import CSV, Form
from kit.rows import Rows
from kit.source import Source
from kit.table import Table, read_table
from kit.task import Task

TASK = Task(
    name="t", kind="binary", targets=("y",), text=("words",), inputs=("words", "x"), aside=("team",), metric=roc_auc
)
LOOSE = Task(name="t", kind="binary", targets=("y",), metric=roc_auc)
TRAIN = "id,words,x,team,y\n00012,one,1,a,0\n7,None,2.5,b,1\nb,NA,,a,1\n"
TEST = "id,words,x,team\n9,,4,c\n0010,four,5,c\n"
SAMPLE = "id,y\n0010,0.5\n9,0.5\n"


def read(folder: Path, train: Any = TRAIN, test: Any = TEST, sample: Any = SAMPLE, task: Task = TASK) -> Table:
    paths: list[Path | None] = []
    for name, text in (("train.csv", train), ("test.csv", test), ("sample_submission.csv", sample)):
        paths.append(None if text is None else folder / name)
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert paths[0] is not None
    return read_table(task, paths[0], paths[1], paths[2])


def refused(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(KitError) as error:
        read(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- what is read ------------------------------------------------------------------------------


def test_ids_and_words_stay_as_they_stand(tmp_path: Path) -> None:
    table = read(tmp_path)
    assert table.train["id"].tolist() == ["00012", "7", "b"] and table.test["id"].tolist() == ["9", "0010"]
    assert table.train["words"].tolist() == ["one", "None", "NA"]
    assert table.test["words"].tolist() == ["", "four"]
    assert table.notes == ("test.csv: 1 missing texts in 'words' count as empty",)
    assert np.isnan(table.train["x"][2]) and table.y.tolist() == [[0.0], [1.0], [1.0]]


def test_members_see_inputs_alone(tmp_path: Path) -> None:
    table = read(tmp_path)
    rows = table.rows(np.array([2, 0]))
    assert list(rows.frame.columns) == list(table.test_rows.frame.columns) == ["words", "x"]
    assert rows.frame["words"].tolist() == ["NA", "one"] and rows.labels.tolist() == [[1.0], [0.0]]
    assert rows.take([1]).texts() == ["one"] and table.test_rows.texts() == ["", "four"]
    with pytest.raises(KitError, match="these rows have no labels"):
        _ = table.test_rows.labels
    loose = read(tmp_path, task=Task(name="t", kind="binary", targets=("y",), aside=("team",), metric=roc_auc))
    assert loose.inputs == ["words", "x"]
    assert list(Rows.of(loose.task, loose.train).frame.columns) == ["words", "x"]


def test_aside_may_be_absent_from_test(tmp_path: Path) -> None:
    assert "team" not in read(tmp_path, test="id,words,x\n9,,4\n0010,four,5\n").test.columns


def test_a_column_called_x_dot_1_is_no_second_x(tmp_path: Path) -> None:
    table = read(tmp_path, "id,x,x.1,y\n1,2,3,0\n2,2,3,1\n", None, None, LOOSE)
    assert table.inputs == ["x", "x.1"] and len(table.test) == 0


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode()).train["id"].tolist() == [
        "00012",
        "7",
        "b",
    ]


def test_classes_that_look_like_nothing_or_like_numbers(tmp_path: Path) -> None:
    task = Task(name="t", kind="multiclass", targets=("y",), classes=("None", "NA", "1"), metric=log_loss)
    table = read(tmp_path, "id,x,y\na,1,NA\nb,2,1\nc,3,None\n", None, None, task)
    assert table.y.tolist() == [[1.0], [2.0], [0.0]]


def test_zipped(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.csv.zip", "w") as file:
        file.writestr("train.csv", TRAIN)
    pd.testing.assert_frame_equal(
        read_table(TASK, tmp_path / "train.csv.zip", None, None).train, read(tmp_path).train
    )  # fmt: skip


def test_digest_changes_with_any_cell(tmp_path: Path) -> None:
    seen = {read(tmp_path).digest}
    assert read(tmp_path).digest in seen
    for old, new in [
        (",one", ",One"),
        ("2.5", "2.6"),
        (",,a", ",0,a"),
        ("00012", "00013"),
        ("b,1\nb", "b,0\nb"),
        ("1,a", "1,c"),
    ]:
        assert TRAIN.count(old) == 1, old
        seen.add(read(tmp_path, TRAIN.replace(old, new)).digest)
    seen.add(read(tmp_path, test=TEST.replace("four", "for")).digest)
    seen.add(read(tmp_path, test="id,words,x,team\n0010,four,5,c\n9,,4,c\n").digest)  # the same rows in another order
    assert len(seen) == 9


def test_subset(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": map(str, range(50)), "x": range(50), "y": [0, 1] * 25})
    test = frame.drop(columns="y").assign(id=[f"t{i}" for i in range(50)])
    table = Table(LOOSE, frame, test, test[["id"]].assign(y=0.5))
    some = table.subset(10)
    assert len(some.train) == len(some.test) == 10 and set(some.sample["id"]) == set(some.test["id"])  # type: ignore[index]
    assert some.train["x"].is_monotonic_increasing and some.train["x"].tolist() != list(range(10))
    assert some.digest == table.subset(10).digest != table.digest
    assert table.subset(99).digest == table.digest


# ---- what is refused ---------------------------------------------------------------------------

REFUSALS = [
    (dict(train=TRAIN.replace("words", "word")), "train.csv: column 'words' is missing; it has: id, word, x, team, y; did you mean 'word'?"),
    (dict(train=TRAIN.replace("team", "group")), "train.csv: column 'team' is missing; it has: id, words, x, group, y"),
    (dict(train="id,words,x,x,team,y\n1,a,1,1,a,0\n"), "train.csv: column 'x' occurs twice"),
    (dict(test=TEST.replace("words", "wordz")), "test.csv: column 'words' is missing; it has: id, wordz, x, team; did you mean 'wordz'?"),
    (dict(test="id,words,x,team,y\n9,a,1,c,1\n"), "test.csv: holds the target 'y', which a test file must not; remove the column"),
    (dict(train=TRAIN + "7,d,1,a,0\n"), "train.csv: 1 id occurs twice or more: 7; Task(id=None) numbers rows"),
    (dict(train=TRAIN + "7,d,1,a,0\nb,d,1,a,0\nb,d,1,a,0\n"), "train.csv: 2 ids occur twice or more: 7, b; Task(id=None) numbers rows"),
    (dict(train=TRAIN + ",d,1,a,0\n"), "train.csv: 1 row has no id in column 'id'"),
    (dict(test=TEST + ",d,1,a\n,d,1,a\n"), "test.csv: 2 rows have no id in column 'id'"),
    (dict(train=TRAIN + "8,d,1,a,2\n"), "train.csv: 1 label of 'y' is not 0 or 1, as a binary task needs: 2 at id 8"),
    (dict(train=TRAIN + "8,d,1,a,\n"), "train.csv: 1 label of 'y' is missing, the first at id 8; leave out its row"),
    (dict(train=TRAIN + "8,d,1,a,no\nc,d,1,a,o\n"), "train.csv: 2 labels of 'y' are not 0 or 1, as a binary task needs: 'no' at id 8"),
    (dict(train=""), "train.csv: the file is empty"),
    (dict(train="\n\n"), "train.csv: the file is empty"),
    (dict(train="id,words,x,team,y\n"), "train.csv: the file has a header but no rows"),
    (dict(test="id,words,x,team\n"), "test.csv: the file has a header but no rows"),
    (dict(train=TRAIN + '8,"cut off'), "train.csv: line 5 has 2 fields, not the 5 of the header: '8,cut off'"),
    (dict(train=TRAIN + "8,d,1,a,0,1,2\n"), "train.csv: line 5 has 7 fields, not the 5 of the header: '8,d,1,a,0,1,2'"),
    (dict(train="id,words,x,team,y\n1,a,1,a,0,9\n2,a,1,a,0,9\n"), "train.csv: line 2 has 6 fields, not the 5 of the header: '1,a,1,a,0,9'"),
    (dict(sample=SAMPLE + "11,0.5\n"), "test.csv: 1 id occurs in sample_submission.csv but not here: 11"),
    (dict(sample=SAMPLE + "9,0.5\n"), "sample_submission.csv: 1 id occurs twice or more: 9; a submission has one row for each row of the test file, with a column for each target or class"),
]  # fmt: skip


@pytest.mark.parametrize("files, sentence", REFUSALS, ids=range(len(REFUSALS)))
def test_refusals(tmp_path: Path, files: dict[str, Any], sentence: str) -> None:
    said = refused(tmp_path, **files)
    assert said == sentence or (sentence.endswith(": ") and said.startswith(sentence) and len(said) > len(sentence))


@pytest.mark.parametrize(
    "kind, bad, needs",
    [
        ("binary", "0.5", "not 0 or 1, as a binary task needs: 0.5 at id c"),
        ("multilabel", "-1", "not 0 or 1, as a multilabel task needs: -1 at id c"),
        ("multiclass", "3", "not one of 0, 1, 2, as a multiclass task needs: 3 at id c"),
        ("regression", "inf", "not a finite number, as a regression task needs: inf at id c"),
        ("regression", "", "missing, the first at id c; leave out its row"),
    ],
)
def test_labels_outside_the_kind(tmp_path: Path, kind: Any, bad: str, needs: str) -> None:
    classes = (0, 1, 2) if kind == "multiclass" else ()
    metric = rmse if kind == "regression" else log_loss
    task = Task(name="t", kind=kind, targets=("y",), classes=classes, metric=metric)
    said = refused(tmp_path, f"id,x,y\na,1,0\nb,2,1\nc,3,{bad}\n", None, None, task)
    assert said == f"train.csv: 1 label of 'y' is {needs}"


def test_bad_zips(tmp_path: Path) -> None:
    path = tmp_path / "train.csv.zip"
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(KitError, match=r"^train.csv.zip: not a whole zip file; fetch it again$"):
        read_table(TASK, path, None, None)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.csv", TRAIN)
        file.writestr("b.csv", TRAIN)
    with pytest.raises(KitError, match=r"^train.csv.zip: holds 2 files, not one: a.csv, b.csv$"):
        read_table(TASK, path, None, None)


def test_tasks_that_contradict_themselves() -> None:
    for more, said in [
        (dict(kind="multiclass", classes=("a",)), "name at least two for a multiclass task"),
        (
            dict(classes=("a",)),
            "classes: name two for a binary task, the negative one first, or leave them out: then they are those of train",
        ),
        (dict(classes=("a", "b", "c")), "classes: name two for a binary task, the negative one first"),
        (dict(classes=("a", "a")), "classes: name two for a binary task, the negative one first"),
        (
            dict(kind="regression", classes=("a", "b")),
            "classes belong to a multiclass or a binary task, not to a regression one",
        ),
        (dict(targets=("y", "z")), "a binary task has one target, not 2: y, z"),
        (dict(kind="multilabel", targets=("y", "y")), "target 'y' is named twice"),
        (dict(inputs=("y",)), "target 'y' is also an input"),
        (dict(inputs=("x",), text=("w",)), "text column 'w' is not among the inputs"),
        (dict(inputs=("x",), aside=("x",)), "column 'x' is aside, which members do not see, and also an input"),
    ]:
        with pytest.raises(KitError, match=said):
            Task(**{"name": "t", "kind": "binary", "targets": ("y",), "metric": roc_auc} | more)  # type: ignore[arg-type]


# ---- other forms than CSV with a header line ---------------------------------------------------

SPOKEN = Task(
    name="t", kind="binary", targets=("y",), text=("words",), inputs=("words", "x"), classes=("NO", "YES"), metric=f1
)
TABS = Form(separator="\t", header=("id", "words", "x", "y"), quotes=False)
ROWS = '007\tsay "no, 1\r2\tnan\tYES\n8\t"\t2.5\tNO\n9\tNA\t3\tYES\n'


def read_tabs(folder: Path, train: Any = ROWS, test: str = "10\t“\t4\n", form: Form = TABS) -> Table:
    (folder / "a.tsv").write_bytes(train if isinstance(train, bytes) else train.encode())
    (folder / "b.tsv").write_bytes(test.encode())
    return read_table(SPOKEN, folder / "a.tsv", folder / "b.tsv", None, form=form)


def test_lines_without_header_and_quotes(tmp_path: Path) -> None:
    table = read_tabs(tmp_path)
    assert table.train["id"].tolist() == ["007", "8", "9"] and table.test["id"].tolist() == ["10"]
    assert table.train["words"].tolist() == ['say "no, 1\r2', '"', "NA"]  # a lone carriage return ends no line
    assert np.isnan(table.train["x"][0]) and table.train["x"].tolist()[1:] == [2.5, 3.0]
    assert table.y.tolist() == [[1.0], [0.0], [1.0]] and table.inputs == ["words", "x"]
    windows = read_tabs(tmp_path, b"\xef\xbb\xbf" + ROWS.replace("\n", "\r\n").encode() + b"\r\n")
    pd.testing.assert_frame_equal(windows.train, table.train)
    headed = read_tabs(tmp_path, "id\twords\tx\ty\n" + ROWS, "id\twords\tx\n10\t“\t4\n", replace(TABS, header=()))
    pd.testing.assert_frame_equal(headed.train, table.train)
    with zipfile.ZipFile(tmp_path / "a.tsv.zip", "w") as file:
        file.writestr("a.tsv", ROWS)
    pd.testing.assert_frame_equal(
        read_table(SPOKEN, tmp_path / "a.tsv.zip", None, None, form=TABS).train, table.train
    )  # fmt: skip


def test_quoted_fields_between_other_signs(tmp_path: Path) -> None:
    form = Form(separator=";", header=TABS.header)
    table = read_tabs(tmp_path, '1;"a;b\n""c""";2;NO\n2;d;3;YES\n', "10;e;4\n", form)
    assert table.train["words"].tolist() == ['a;b\n"c"', "d"] and table.y.tolist() == [[0.0], [1.0]]
    headed = read_tabs(tmp_path, 'id;words;x;y\n1;"a;b";2;NO\n', "id;words;x\n10;e;4\n", Form(separator=";"))
    assert headed.train["words"].tolist() == ["a;b"]


@pytest.mark.parametrize(
    "files, sentence",
    [
        (dict(train=ROWS + "11\tshort\t1\n"), "a.tsv: line 4 has 3 fields, not the 4 fields id, words, x, y"),
        (dict(train=ROWS.replace("2.5", "2\t5")), "a.tsv: line 2 has 5 fields, not the 4 fields id, words, x, y"),
        (dict(train="\n" + ROWS), "a.tsv: line 1 has 1 fields, not the 4 fields id, words, x, y"),
        (dict(test=ROWS), "b.tsv: line 1 has 4 fields, not the 3 fields id, words, x"),
        (dict(train=ROWS.replace('"no, 1', "").replace("\t", ",")), "a.tsv: separated by commas, not tabs"),
        (dict(train="1,a,2,NO\n2,a,2,NO\n", test="3,a\n4,b\n", form=CSV), "a.tsv: column 'id' is missing; Task(id=None) numbers rows; it has: 1, a, 2, NO"),
        (dict(train="1\ta\t2\tNO\n", form=Form(separator=",")), "a.tsv: separated by tabs, not commas; its columns seem to be: 1, a, 2, NO"),
        (dict(train=""), "a.tsv: the file is empty"),
        (dict(train="\n\n"), "a.tsv: the file is empty"),
        (dict(train=ROWS.encode() + b"12\tcaf\xe9\t1\tNO\n", form=replace(TABS, encoding="utf-8")), "a.tsv: not UTF-8 text: byte 0xe9 cannot be read"),
        (dict(train=ROWS + "8\ta\t1\tNO\n"), "a.tsv: 1 id occurs twice or more: 8; Task(id=None) numbers rows"),
        (dict(train=ROWS + "11\ta\t1\tmaybe\n"), "a.tsv: 1 label of 'y' is not one of NO, YES, as a binary task needs: 'maybe' at id 11"),
        (dict(train=ROWS + "11\ta\t1\t\n"), "a.tsv: 1 label of 'y' is missing, the first at id 11; leave out its row"),
    ],
)  # fmt: skip
def test_refusals_of_lines(tmp_path: Path, files: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError) as error:
        read_tabs(tmp_path, **files)
    assert str(error.value) == sentence


def test_bad_zips_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.zip"
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(KitError, match=r"^a.tsv.zip: not a whole zip file; fetch it again$"):
        read_table(SPOKEN, path, None, None, form=TABS)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.tsv", ROWS)
        file.writestr("b.tsv", ROWS)
    with pytest.raises(KitError, match=r"^a.tsv.zip: holds 2 files, not one: a.tsv, b.tsv$"):
        read_table(SPOKEN, path, None, None, form=TABS)


# ---- computed once -----------------------------------------------------------------------------

FRAME = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
ONCE = """
import sys, time, numpy as np, pandas as pd
from pathlib import Path
from kit.source import Source
folder, wait = Path(sys.argv[1]), float(sys.argv[2])
def compute(frame):
    with open(folder / "calls", "a") as file: file.write("x")
    time.sleep(wait)
    return {"a": frame["x"].to_numpy() * 2, "b": np.array(7), "none": np.empty(0)}
print(Source(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), folder / "cache").once("double-1", compute)["a"].tolist())
"""


def test_once_is_shared_by_instances_and_read_only(tmp_path: Path) -> None:
    calls = []

    def compute(frame: pd.DataFrame) -> dict[str, np.ndarray]:
        calls.append(1)
        return {"a": frame["x"].to_numpy() * 2, "b": np.array(7), "none": np.empty(0)}

    for _ in range(2):
        source = Source(FRAME, tmp_path)
        arrays = source.once("double-1", compute)
        assert arrays["a"].tolist() == [2, 4, 6] and int(arrays["b"]) == 7 and arrays["none"].shape == (0,)
        assert source.once("double-1", compute) is arrays
        with pytest.raises(ValueError, match="read-only"):
            arrays["a"][0] = 1
    assert len(calls) == 1
    Source(FRAME, tmp_path).once("double-2", compute)
    Source(FRAME + 1, tmp_path).once("double-1", compute)
    assert len(calls) == 3
    memory = Source(FRAME).once("double-1", compute)
    with pytest.raises(ValueError, match="read-only"):
        memory["a"][0] = 1


def test_two_processes_compute_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ONCE, str(tmp_path), "0.5"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate(timeout=60)[0].strip() for p in both] == ["[2.0, 4.0, 6.0]"] * 2
    assert (tmp_path / "calls").read_text() == "x"


def test_killed_half_way_leaves_no_half_cache(tmp_path: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", ONCE, str(tmp_path), "60"])
    from tests.helpers.house import wait_until

    wait_until(lambda: (tmp_path / "calls").exists())
    (part,) = tmp_path.glob("cache/*/double-1.part")
    np.save(part / "stale.npy", np.ones(3))  # as if killed between two arrays
    first.kill()
    first.wait()
    assert not list(tmp_path.glob("cache/*/double-1"))
    arrays = Source(FRAME, tmp_path / "cache").once("double-1", lambda frame: {"a": frame["x"].to_numpy()})
    assert list(arrays) == ["a"]

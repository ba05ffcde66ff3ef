"""The same table in whatever it is packed, encoded and written, found out by content."""

import bz2
import gzip
import io
import json
import lzma
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import KitError
from kit.metrics import rmse, roc_auc
from kit.reading.discovery import first_of
from kit.reading.form import Form
from kit.table import Table, read_table
from kit.task import Task

TASK = Task(name="t", kind="binary", targets="y", text="words", inputs=("words", "x", "kind"), metric=roc_auc)
WORDS = {"utf-8": "naïve 天气", "utf-8-sig": "naïve 天气", "utf-16": "naïve 天气", "utf-16-le": "naïve 天气",
         "gbk": "今天天气很好，我们去公园", "latin-1": "café noir été", "cp1251": "привет, как дела"}  # fmt: skip
ROWS = [("01", 0.5, "a", 0), ("2", -2.0, "b", 1), ("3", 1e-7, "a", 1)]


def frame_of(words: str) -> pd.DataFrame:
    rows = [(id, f'{words} "{id}",\n;', x, kind, y) for id, x, kind, y in ROWS]
    return pd.DataFrame(rows, columns=["id", "words", "x", "kind", "y"])


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("__MACOSX/._train.csv", b"\0\1")
        archive.writestr("folder/.DS_Store", b"\0")
        archive.writestr("folder/train.csv", data)
    return file.getvalue()


PACKINGS: dict[str, Any] = {
    "": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zip": zipped,
    "zip, gzip": lambda data: zipped(gzip.compress(data)),
}  # fmt: skip


def read(data: bytes, task: Task = TASK, form: Form = Form()) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.csv")
        path.write_bytes(data)
        return read_table(task, path, None, None, form=form)


def refused(data: bytes, task: Task = TASK, form: Form = Form()) -> str:
    with pytest.raises(KitError) as error:
        read(data, task, form)
    return str(error.value)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("encoding", WORDS)
def test_packing_and_encoding_change_nothing(packing: str, encoding: str) -> None:
    frame = frame_of(WORDS[encoding])
    plain = read(frame.to_csv(index=False).encode())
    table = read(PACKINGS[packing](frame.to_csv(index=False).encode(encoding)))
    assert table.digest == plain.digest and table.train["words"].tolist() == frame["words"].tolist()
    assert plain.notes == () and (packing in table.notes[0] if packing else len(table.notes) < 2)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_and_said(separator: str) -> None:
    table = read(frame_of("w").to_csv(index=False, sep=separator).encode())
    assert table.digest == read(frame_of("w").to_csv(index=False).encode()).digest
    assert (table.notes == ()) == (separator == ",")


def test_json_in_each_of_its_shapes() -> None:
    frame, wanted = frame_of("天气"), read(frame_of("天气").to_csv(index=False).encode()).digest
    shapes = [frame.to_json(orient=o, force_ascii=False) for o in ("records", "columns", "split")]
    lines = frame.to_json(orient="records", lines=True)
    assert {read(text.encode()).digest for text in (*shapes, lines)} == {wanted}
    assert read(shapes[0].encode()).notes == ("train.csv: JSON",) and read(lines.encode()).notes == (
        "train.csv: JSON lines",
    )
    assert refused(lines.encode()[:-9]).startswith("train.csv: line 3 is not whole JSON: ")
    assert refused(json.dumps([[1]]).encode().replace(b"[[1]]", b"[{}, 1]")) == (
        "train.csv: JSON, but no table: it is to be a list of objects, one a row"
    )


@pytest.mark.parametrize("package, suffix", [("pyarrow", "parquet"), ("openpyxl", "xlsx")])
def test_parquet_and_excel(package: str, suffix: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    frame, path = frame_of("天气"), tmp_path / f"a.{suffix}"
    getattr(frame, {"parquet": "to_parquet", "xlsx": "to_excel"}[suffix])(path, index=False)
    assert read(path.read_bytes()).digest == read(frame.to_csv(index=False).encode()).digest


def test_a_missing_package_is_named() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        said = "train.csv: Parquet needs the package pyarrow: pip install 'kit[files]'"
        assert refused(b"PAR1" + bytes(20) + b"PAR1") == said
    else:
        assert refused(b"PAR1" + bytes(20) + b"PAR1") == "train.csv: not a whole Parquet file; fetch it again"


CELLS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=False),
    st.integers(-(2**40), 2**40),
    st.sampled_from(["a", "b c", "TRUE", ""]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(CELLS, min_size=2, max_size=12), st.sampled_from([",", ";", "\t"]), st.sampled_from([*PACKINGS]))
def test_a_frame_is_read_back_the_same_from_every_form(cells: list[Any], separator: str, packing: str) -> None:
    task = Task(name="t", kind="binary", targets="y", metric=roc_auc)
    frame = pd.DataFrame({"id": [f"r{i}" for i in range(len(cells))], "x": pd.Series(cells, dtype=object), "y": 0})
    wanted = Table(task, frame, frame.drop(columns="y").iloc[:0]).train["x"].tolist()
    data = frame.to_csv(index=False, sep=separator).encode()
    lines = "\n".join(json.dumps(row) for row in frame.to_dict("records")).replace("NaN", "null").encode()
    for read_back in (read(PACKINGS[packing](data), task), read(lines, task)):
        assert pd.Series(read_back.train["x"].tolist(), dtype=object).equals(pd.Series(wanted, dtype=object))


LOOSE = Task(name="t", kind="binary", targets="y", metric=roc_auc)


def test_what_is_no_row_and_no_feature_is_left_out_and_said() -> None:
    table = read(b"Report of May\n\nid,x,,y\n1,2,,0\n2,3,,1\n", LOOSE)
    assert table.inputs == ["x"] and table.train["id"].tolist() == ["1", "2"]
    said = "train.csv: line 1 is no header and left out: 'Report of May', column 3 has no name and is left out"
    assert table.notes == (said,)
    assert read(b",id,x,y\n0,1,2,0\n1,2,3,1\n", LOOSE).inputs == ["x"]


@pytest.mark.parametrize(
    "data, said",
    [
        (b"id,x,y\n1,2,0\n2,3\n", "train.csv: line 3 has 2 fields, not the 3 of the header: '2,3'"),
        (b"T\nid,x,y\n1,2,0\nTotal: 1\n", "train.csv: line 4 has 1 field, not the 3 of the header: 'Total: 1'"),
        (b"id,x,x,y\n1,2,3,0\n", "train.csv: column 'x' occurs twice"),
        (b"", "train.csv: the file is empty"),
        (b"id,x,y\n", "train.csv: the file has a header but no rows"),
        (gzip.compress(b"id,x,y\n1,2,0\n", mtime=0)[:-9], "train.csv: not a whole gzip file; fetch it again"),
        (b"\xd0\xcf\x11\xe0" + bytes(9), "train.csv: an old Excel file (.xls); save it as .xlsx or CSV"),
        (b"id,x,Y\n1,2,0\n", "train.csv: column 'y' is missing; it has: id, x, Y; did you mean 'Y'?"),
    ],
)
def test_what_is_no_whole_table_is_refused(data: bytes, said: str) -> None:
    assert refused(data, LOOSE) == said


def test_codes_keep_their_zeros_and_decimal_commas_are_found() -> None:
    assert read(b"id,zip,y\n1,00501,0\n2,10001,1\n", LOOSE).train["zip"].tolist() == ["00501", "10001"]
    table = read(b"id;x;n;y\n1;0,5;1.234;0\n2;1,25;2.000;1\n", LOOSE)
    assert table.train["x"].tolist() == [0.5, 1.25] and table.train["n"].tolist() == [1234.0, 2000.0]


def test_columns_of_one_file_alone_are_left_out_or_meant_otherwise(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,x,casual,y\n1,2,3,0\n2,3,4,1\n")
    (tmp_path / "test.csv").write_text("id,x\n3,4\n")
    table = read_table(LOOSE, tmp_path / "train.csv", tmp_path / "test.csv", None)
    assert table.inputs == ["x"]
    assert table.notes == (
        "train.csv: column 'casual' is in no other file and left out; for folds, name it in Task.aside",
    )
    (tmp_path / "test.csv").write_text("id,x,Casual\n3,4,5\n")
    with pytest.raises(
        KitError, match=r"^test.csv: column 'casual' is missing, which train.csv has; did you mean 'Casual'\?$"
    ):
        read_table(LOOSE, tmp_path / "train.csv", tmp_path / "test.csv", None)


def test_a_file_of_another_form_stands_for_the_named_one(tmp_path: Path) -> None:
    (tmp_path / "train.csv.gz").touch()
    (tmp_path / "train.recipe.py").touch()
    assert first_of(tmp_path, "train.csv") == tmp_path / "train.csv.gz"
    (tmp_path / "train.parquet").touch()
    with pytest.raises(KitError, match=r"which is train.csv: train.csv.gz, train.parquet\?"):
        first_of(tmp_path, "train.csv")


def test_a_word_far_below_numbers_changes_nothing_above() -> None:
    """pandas types some rows at a time: 007 of the first ones would be 7 beside words of the last ones."""
    rows = [f"{i},{i % 7},{i % 900:03d},{'TRUE' if i < 60_000 else 0},{i % 2}" for i in range(60_001)]
    table = read("\n".join(["id,x,code,flag,y", *rows, "last,?,a,FALSE,1"]).encode(), LOOSE)
    assert table.train["code"].tolist()[7] == "007" and table.train["x"].tolist()[:8] == [0, 1, 2, 3, 4, 5, 6, 0]
    assert table.train["flag"].tolist()[-3:] == [1.0, 0.0, 0.0]
    assert table.notes[-1] == ("train.csv: column 'x': 1 value is no number and counts as missing: '?' at id last")


def test_a_row_that_is_cut_is_found_beside_quotes_and_gaps() -> None:
    whole = b'id,x,y\n1,"a,""b"" \n,",0\n2,5" tall,1\n3,,1\n'
    task = Task(name="t", kind="regression", targets="y", metric=rmse, text="x")
    assert read(whole, task).train["x"].tolist() == ['a,"b" \n,', '5" tall', ""]
    assert refused(whole + b"4,cut\n", task) == "train.csv: line 6 has 2 fields, not the 3 of the header: '4,cut'"

"""Tables whose bytes were changed, plain and packed, for the fuzzers."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from kit.core.errors import LONGEST, KitError
from kit.metrics import roc_auc
from kit.table import Table, read_table
from kit.task import Task

TASK = Task(name="fuzzed", kind="binary", targets=("sold",), text=("review",), metric=roc_auc)
ROWS = [("a1", 3.5, "good, really", 1), ("a2", -2, 'so "so"', 0), ("a3", 7, "schön 好", 1), ("a4", 0.25, "", 0)] * 3
WHOLE = "id,price,review,sold\n" + "".join(
    f'{number}{name},{price},"{text.replace(chr(34), chr(34) * 2)}",{sold}\n'
    for number, (name, price, text, sold) in enumerate(ROWS)
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "gb18030", "cp1252", "utf-32"]
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([b"\n", b"\r\n", b"\r", b",", b";", b"\t", b'"', b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"nan", b"inf"]),
    st.sampled_from([b"9" * 400, b"," * 300, b'"' * 99, b"1e999", b"?", b"id", b"sold", b"=1+1", b"\xe4", b"x" * 5000]),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The table in some encoding, with bytes put in, taken out, turned, doubled and cut off."""
    data = bytearray(WHOLE.encode(draw(st.sampled_from(ENCODINGS)), errors="replace"))
    for _ in range(draw(st.integers(0, 4))):
        place, what = draw(st.integers(0, max(0, len(data) - 1))), draw(st.integers(0, 4))
        if what == 0:
            data[place:place] = draw(PIECES)
        elif what == 1:
            del data[place : place + draw(st.integers(1, 40))]
        elif what == 2 and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif what == 3:
            data[place:place] = data[place : place + draw(st.integers(1, 80))]
        else:
            data = data[:place]
    return bytes(data)


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", data)
    return file.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "train.csv": bytes, "train.csv.zip": zipped, "train.csv.gz": gzip.compress, "train.csv.xz": lzma.compress,
    "train.csv.bz2": bz2.compress,
}  # fmt: skip


def check_read(folder: Path, name: str, data: bytes) -> Table | None:
    """Reads these bytes as the train file beside whole ones: a table, or a sentence."""
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(data)
    test, sample = folder / "test.csv", folder / "sample_submission.csv"
    test.write_text("id,price,review\nb1,2,fine\nb2,3,bad\n")
    sample.write_text("id,sold\nb1,0\nb2,0\n")
    try:
        table = read_table(TASK, folder / name, test, sample)
    except KitError as error:
        said = str(error)
        assert 0 < len(said) <= LONGEST and said.isprintable(), said
        return None
    assert len(table.train) == len(table.y) > 0 and len(table.test) == 2
    return table

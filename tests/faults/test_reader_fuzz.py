"""Any change of a file's bytes is read as a table, or refused in one short sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.changed_files import PACKINGS, ROWS, WHOLE, check_read, mutated
from tests.helpers.fuzz import quickly


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


def test_the_file_that_is_changed_can_be_read(folder: Path) -> None:
    table = check_read(folder, "train.csv", WHOLE.encode())
    assert table is not None and len(table.train) == len(ROWS) and table.y[:, 0].tolist() == [row[3] for row in ROWS]


@quickly(120)
@given(data=mutated())
def test_any_change_of_a_file_is_read_or_refused(folder: Path, data: bytes) -> None:
    check_read(folder, "train.csv", data)


@quickly(60)
@given(name=st.sampled_from([*PACKINGS]), data=mutated(), place=st.floats(0, 1), piece=st.binary(max_size=3))
def test_any_change_of_a_packed_file_is_read_or_refused(
    folder: Path, name: str, data: bytes, place: float, piece: bytes
) -> None:
    packed = bytearray(PACKINGS[name](data))
    at = int(place * len(packed))
    packed[at : at + 1] = piece
    check_read(folder, name, bytes(packed))


def test_a_file_of_any_width_or_length_of_value_ends_in_a_sentence(folder: Path) -> None:
    wide = "id,review,sold," + ",".join(f"c{n}" for n in range(100_000))
    rows = "".join(f"a{n},x,{n % 2}" + ",1" * 100_000 + "\n" for n in range(2))
    assert check_read(folder, "train.csv", f"{wide}\n{rows}".encode()) is None
    label = WHOLE.replace(",1\n", f",{'9' * 400}\n", 1)
    assert check_read(folder, "train.csv", label.encode()) is None
    value = WHOLE.replace(",1\n", f",{'x' * 30_000_000}\n", 1)
    assert check_read(folder, "train.csv", value.encode()) is None

"""Faults of the machine: one sentence, whoever meets them, and no fault of a member."""

import errno
import os
import pickle
import sqlite3
from pathlib import Path

import pytest
import torch

from kit.core.files import lock, write_json
from kit.core.machine import REFUSES, MachineFault, machine_fault, writing

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x")


def test_the_cause_is_found_however_deep_it_lies() -> None:
    try:
        try:
            raise FULL
        except OSError:
            raise RuntimeError("inline_container.cc: unexpected pos")  # noqa: B904 (as torch does)
    except RuntimeError as error:
        fault = machine_fault(error)
    assert str(fault) == "cannot read or write runs/x: No space left on device"
    assert str(pickle.loads(pickle.dumps(fault))) == str(fault)  # it comes from another process
    assert str(machine_fault(ValueError("I/O error: No space left on device (os error 28)"))).startswith("cannot write")


@pytest.mark.parametrize(
    "error", [ValueError("bad rows"), FileNotFoundError(errno.ENOENT, "no", "weights"), MemoryError(), KeyError("x")]
)
def test_other_errors_are_the_members_own(error: Exception) -> None:
    assert machine_fault(error) is None and machine_fault(error, REFUSES) is None


def test_a_file_that_may_not_be_read_stops_no_other_member_but_is_no_traceback() -> None:
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "words.txt")
    assert machine_fault(denied) is None
    assert str(machine_fault(denied, REFUSES)) == "cannot read or write words.txt: Permission denied"


def test_a_database_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with pytest.raises(sqlite3.OperationalError) as error:
        sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("CREATE TABLE t (a)")
    assert machine_fault(error.value) is not None


@pytest.mark.parametrize("write", [lambda path: write_json(path, {}), lambda path: lock(path).__enter__()])
def test_what_cannot_be_written_is_named(tmp_path: Path, write: object) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineFault) as error:
        write(tmp_path / "file" / "x")  # type: ignore[operator]
    assert str(error.value).startswith(f"cannot write {tmp_path}/file/x: ")


def test_a_checkpoint_on_a_full_disk_is_named(tmp_path: Path) -> None:
    said = "cannot write /dev/full: No space left on device"
    with pytest.raises(MachineFault, match=said), writing(Path("/dev/full")), open("/dev/full", "wb") as file:
        torch.save({"a": torch.zeros(100_000)}, file)

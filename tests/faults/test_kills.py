"""Killed at single file operations of a run or of its workers: the next run ends in the same bytes."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import drills
from tests.helpers.drills import BROKEN, fitted, killed, worked
from tests.helpers.faults import Ended, results
from tests.helpers.seeds import SEED


@pytest.mark.slow
def test_a_run_killed_at_any_file_operation_is_gone_on_with(tmp_path: Path) -> None:
    operations = fitted()[0]
    assert len(operations) > 300 and {line.split()[0] for line in operations} >= {"open", "os.rename", "os.mkdir"}
    rng = random.Random(SEED)
    tried, wrong = killed(rng.randrange(len(operations)), rng.choice(("kill", "torn")), tmp_path)
    assert not wrong, f"seed {SEED}, {tried}: {wrong}"


@pytest.mark.slow
def test_a_worker_that_dies_costs_nothing(tmp_path: Path) -> None:
    what = [what for what, fault in BROKEN.items() if fault.workers and fault.kind != "full"][SEED % 2]
    tried, wrong = worked(what, random.Random(SEED).randrange(20), tmp_path)
    assert not wrong, f"seed {SEED}, {tried}: {wrong}"


WRITER = """
import sys
from pathlib import Path
from kit.core.files import write_text
from tests.helpers.fault_hook import install

folder, how, at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
install("torn", at, folder, folder / "told/operations", folder / "told/died")
(write_text if how == "whole" else Path.write_text)(folder / "x", "new")
"""


@pytest.mark.parametrize("how, left", [("whole", {"old", "new"}), ("plain", {"old", "", "new"})])
def test_a_torn_write_is_seen_where_a_file_is_not_replaced_as_a_whole(how: str, left: set[str], tmp_path: Path) -> None:
    """A worker that dies as it writes leaves an empty file, unless it writes as kit does: then the old one is there."""
    found, ended, at = set(), 137, 0
    while ended == 137:
        folder = tmp_path / str(at)
        (folder / "told").mkdir(parents=True)
        (folder / "x").write_text("old")
        ended = subprocess.run([sys.executable, "-c", WRITER, str(folder), how, str(at)], cwd=Path.cwd()).returncode
        found.add((folder / "x").read_text())
        assert (folder / "told/died").exists() == (ended == 137)
        at += 1
    assert ended == 0 and at > 1 and found <= left and ("" in found) == (how == "plain")


def test_numbers_that_differ_are_wrong_and_those_of_trials_only_where_no_search_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drills, "run", lambda *_: Ended([0]))
    blend, trial = tmp_path / "runs/faults/blend/oof.npy", tmp_path / "runs/faults/boost-1/fold0/valid.npy"
    for path in (blend, trial):
        path.parent.mkdir(parents=True)
    blend.write_bytes(b"1")
    numbers = results(tmp_path)
    assert drills.goes_on(tmp_path, numbers) == ""
    trial.write_bytes(b"2")
    assert drills.goes_on(tmp_path, numbers) == "more numbers: ['boost-1/fold0/valid.npy']"
    assert drills.goes_on(tmp_path, numbers, others=True) == ""
    blend.write_bytes(b"3")
    for others in (False, True):
        assert drills.goes_on(tmp_path, numbers, others) == "other numbers: ['blend/oof.npy']"

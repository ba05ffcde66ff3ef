"""Killed at single file operations of a run or of its workers: the next run ends in the same bytes."""

import random
from pathlib import Path

import pytest

from tests.helpers.drills import BROKEN, fitted, killed, worked
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

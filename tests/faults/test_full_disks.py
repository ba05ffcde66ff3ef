"""A disk that is full or read-only: one sentence, exit 2, no member is blamed, and what is finished is kept."""

import random
from pathlib import Path

import pytest

from tests.helpers.drills import finished, full, read, search, small
from tests.helpers.faults import Fault, copied, plain, results, run
from tests.helpers.seeds import SEED


@pytest.mark.slow
@pytest.mark.parametrize("drill", [full, small, search])
def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(drill: object, tmp_path: Path) -> None:
    tried, wrong = drill(random.Random(SEED), tmp_path)  # type: ignore[operator]
    assert not wrong, f"seed {SEED}, {tried}: {wrong}"


def test_a_finished_run_is_shown_where_nothing_can_be_written(tmp_path: Path) -> None:
    folder, (before, numbers) = copied(finished(), tmp_path / "readonly"), read()
    ended = run(folder, [("show", "faults"), ("report", "faults"), ("cv", "faults")], Fault("readonly"))
    assert ended.codes == [0, 2, 2] and plain(ended.out[0]) == plain(before.out[1])
    report, cv = ended.err.splitlines()
    assert report.startswith("kit: cannot write runs/faults/") and "Read-only file system" in report
    assert cv.endswith("; what is finished is kept. To go on: kit cv faults")
    assert results(folder).items() <= numbers.items()

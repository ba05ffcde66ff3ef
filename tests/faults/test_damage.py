"""Damaged files: every artefact that a run writes, found by listing the folders, so that a new one is tried as well."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import drills
from tests.helpers.drills import HARMS, damage, damaged, finished, read, unfinished
from tests.helpers.faults import READING, Ended, artefacts, copied, results, sandbox
from tests.helpers.seeds import SEED


@pytest.mark.slow
def test_a_damaged_artefact_is_made_again_or_refused_by_name_and_never_used(tmp_path: Path) -> None:
    assert not set(read()[0].codes) - {0}
    found = artefacts(finished())
    for kind in (".npy", ".npz", ".json", ".safetensors", ".jsonl", ".db", ".txt", ".csv", ".png", ".html"):
        assert any(path.suffix == kind for path in found), f"the competition of tests.helpers.faults writes no {kind}"
    rng = random.Random(SEED)
    for artefact in rng.sample(found, 2):
        tried, wrong = damaged(artefact, rng.choice(HARMS), tmp_path)
        assert not wrong, f"seed {SEED}, {tried}: {wrong}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["folds-*.npy", "tuned.json", "*/fold0/model/model.safetensors"])
def test_what_was_once_used_without_a_word(name: str, tmp_path: Path) -> None:
    path = next((finished() / "runs/faults").glob(name))
    tried, wrong = damaged(path.relative_to(finished()), "middle byte", tmp_path)
    assert not wrong, f"{tried}: {wrong}"


@pytest.mark.slow
def test_a_damaged_file_of_an_unfinished_run_changes_no_number(tmp_path: Path) -> None:
    tried, wrong = unfinished(random.Random(SEED), tmp_path)
    assert not wrong, f"seed {SEED}, {tried}: {wrong}"


PLANTED = [
    "runs/faults/new.bin", "runs/faults/net-0/fold0/model/deeper/weights", "runs/faults/.hidden/x.json", "data/cache/new/ids.npy",
    "data/faults.cache", "models/new.safetensors", "new.txt",
]  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_an_artefact_that_is_new_is_tried_wherever_a_run_writes_it(
    planted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Used without a checksum it is found out; made anew or refused by its name, it is not."""
    folder = sandbox(tmp_path / "finished")
    assert artefacts(folder) == []
    (folder / planted).parent.mkdir(parents=True, exist_ok=True)
    (folder / planted).write_bytes(b"12345678")
    (folder / "told").mkdir()
    (folder / "told/err").touch()
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "runs/lock.lock").touch()
    assert artefacts(folder) == [Path(planted)]

    def ran(place: Path, commands: Any) -> Ended:
        """What reads that file: it writes what it found there, or takes note of the damage."""
        whole = (place / planted).read_bytes() == b"12345678"
        (place / "runs/faults").mkdir(parents=True, exist_ok=True)
        if whole or mood != "refused":
            used = (place / planted).read_bytes() if mood == "used" else b"12345678"
            (place / "runs/faults/submission.csv").write_bytes(used)
        owner = Path(planted).parent if planted.startswith("data") else Path(planted)
        name = "fold0" if "fold0" in planted else owner.name
        codes = [2] * len(commands) if mood == "refused" and not whole else [0] * len(commands)
        return Ended(codes, [""] * len(commands), f"kit: {name} is damaged\n" if 2 in codes else "")

    monkeypatch.setattr(drills, "finished", lambda: folder)
    monkeypatch.setattr(drills, "run", ran)
    for mood in ("used", "anew", "refused"):
        ran(copied(folder, tmp_path / "read"), READING)
        numbers = results(tmp_path / "read")
        monkeypatch.setattr(drills, "read", lambda numbers=numbers: (Ended([0] * 7, [""] * 7), numbers))
        copied(tmp_path / "read", folder)
        tried, wrong = damaged(Path(planted), "middle byte", tmp_path)
        assert planted in tried and wrong.startswith("other numbers" if mood == "used" else "")
        assert bool(wrong) == (mood == "used")
        (folder / "runs/faults/submission.csv").unlink()


def test_each_harm_changes_a_file(tmp_path: Path) -> None:
    for how in HARMS:
        (path := tmp_path / "x").write_bytes(b"abcd")
        assert damage(path, how) and path.read_bytes() != b"abcd"
    assert path.read_bytes() == b"" and not damage(path, "cut")

"""What killed commands leave behind goes with the next one, past what a living process works on."""

import signal
from pathlib import Path

import numpy as np
import pytest

from kit.core.files import lock, replacing
from kit.run.bank import FoldStore
from kit.run.leftovers import sweep
from tests.helpers.house import House


def test_half_written_files_go_and_those_of_a_living_process_stay(tmp_path: Path) -> None:
    root = tmp_path / "run"
    with replacing(root / "blend/report.json") as alive:
        dead = root / "blend/.report.json.ab12cd_9"
        dead.write_text("half")
        kept = [root / ".hidden", root / "blend/.report.json.backup2"]  # not of the form of kit's own
        for path in kept:
            path.write_text("")
        sweep(root, None)
        assert not dead.exists() and alive.exists() and all(path.exists() for path in kept)
        alive.write_text("whole")
    assert (root / "blend/report.json").read_text() == "whole"


def test_checkpoints_of_finished_folds_go_and_those_of_others_stay(tmp_path: Path) -> None:
    store = FoldStore.of(tmp_path, "m", {})
    with store.work(0) as part:
        assert part is not None
        store.finish(0, np.zeros((1, 1)), np.zeros((1, 1)), {"score": 0.5})
    with store.work(1) as part:
        assert part is not None
    for fold in ("fold0", "fold1.part"):  # as if killed between the name and the end of `finish`
        for name in ("last.pt", "part0/last.pt", "done0/model"):
            (store.folder / fold / name).parent.mkdir(exist_ok=True)
            (store.folder / fold / name).write_text("large")
    sweep(tmp_path, None)
    assert sorted(p.name for p in store.folder.glob("fold0/*")) == [
        "part0",
        "score.json",
        "sums.json",
        "test.npy",
        "valid.npy",
    ]
    assert len(list(store.folder.glob("fold1.part/**/*"))) == 5 and store.state(0) == "done"


def test_an_unfinished_cache_goes_unless_it_is_being_made(tmp_path: Path) -> None:
    part = tmp_path / "ab12/words.part"
    part.mkdir(parents=True)
    (tmp_path / "ab12/more.blocks").mkdir()
    with lock(part.with_suffix(".lock")):
        sweep(tmp_path / "run", tmp_path)
        assert part.exists()
    sweep(tmp_path / "run", tmp_path)
    assert not part.exists() and (tmp_path / "ab12/more.blocks").exists()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_signals_of_schedulers_and_terminals_say_how_to_go_on(house: House, sign: int) -> None:
    def asleep() -> bool:
        return bool(list(house.runs.glob("memory-*/fold*.part/asleep")))

    code, err = house.kill_when(asleep, "cv", "small", "--only", "memory", sign=sign, MOOD="sleep30")
    assert code == 128 + sign
    assert err.strip() == "kit: stopped; finished folds are kept. To go on: kit cv small --only memory"

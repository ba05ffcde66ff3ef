"""The bank: states of a fold, whole or absent, locks, keys."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kit.run.bank
from kit.core.files import lock, read_json
from kit.folds import KFold, TimeSeries
from kit.members import Boost, Encoder
from kit.metrics import rmse, roc_auc
from kit.recipe import Recipe
from kit.run.bank import FoldStore
from kit.run.run import Run
from kit.table import Table
from kit.task import Task
from tests.helpers.house import tree, wait_until

P = np.array([[0.25], [0.5]], dtype=np.float32)
HOLD = """
import sys, time
from pathlib import Path
from kit.run.bank import FoldStore
with FoldStore(Path(sys.argv[1])).work(0) as part:
    (part / "held").touch()
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> FoldStore:
    return FoldStore.of(tmp_path, "m", {"seed": 1})


def finish(store: FoldStore, fold: int = 0) -> None:
    with store.work(fold) as part:
        assert part is not None
        (part / "last.pt").write_text("large")
        store.finish(fold, P, P + 1, {"score": 0.5})


def test_states(store: FoldStore) -> None:
    assert store.state(0) == "absent" and store.read(0) is None
    with pytest.raises(KeyboardInterrupt), store.work(0):
        raise KeyboardInterrupt
    assert store.state(0) == "part"
    with store.work(0):
        store.fail(0, "why\n")
    assert store.state(0) == "failed" and (store.part(0) / "error.txt").read_text() == "why\n"
    with store.work(0) as part:
        assert part is not None and not (part / "error.txt").exists()
    finish(store)
    assert store.state(0) == "done" and store.state(1) == "absent"
    with store.work(0) as part:
        assert part is None


def test_looking_writes_nothing(store: FoldStore, tmp_path: Path) -> None:
    assert store.state(0) == "absent" and store.read(0) is None
    assert not any(tmp_path.iterdir())
    finish(store)
    (store.folder / "fold0/test.npy").write_bytes(b"")
    before = tree(tmp_path)
    assert store.state(0) == "damaged" and store.read(0) is None
    assert tree(tmp_path) == before


def test_a_finished_fold_reads_back(store: FoldStore) -> None:
    finish(store)
    fold = store.read(0)
    assert fold is not None and fold.score == {"score": 0.5}
    np.testing.assert_array_equal(fold.valid, P)
    np.testing.assert_array_equal(fold.test, P + 1)
    part = store.read(0, test=False)
    assert part is not None and part.test.shape == (0, P.shape[1]) and np.array_equal(part.valid, P)
    names = {p.name for p in (store.folder / "fold0").iterdir()}
    assert names == {"valid.npy", "test.npy", "score.json", "sums.json"}  # the state of the fit is gone
    assert '"seed": 1' in (store.folder / "spec.json").read_text()


@pytest.mark.parametrize("at", ["write_array", "write_json", "finish_folder"])
def test_finish_is_all_or_nothing(store: FoldStore, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    def dies(*args: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kit.run.bank, at, dies)
    with pytest.raises(KeyboardInterrupt):
        finish(store)
    monkeypatch.undo()
    assert store.read(0) is None and not (store.folder / "fold0").exists()
    if store.part(0).exists():
        assert at == "write_json" or (store.part(0) / "last.pt").exists()  # a fit can still be gone on with
    finish(store)
    assert store.state(0) == "done"


@pytest.mark.parametrize("name", ["valid.npy", "test.npy", "score.json", "sums.json"])
@pytest.mark.parametrize("harm", ["changed", "gone", "empty list"])
def test_a_damaged_fold_is_put_aside(store: FoldStore, name: str, harm: str) -> None:
    finish(store)
    path = store.folder / "fold0" / name
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3] if harm == "changed" else b"[]")
    assert store.read(0) is None and store.state(0) == "damaged"
    finish(store)
    assert store.state(0) == "done" and len(list(store.folder.glob("fold0.damaged-*"))) == 1


def test_half_written_files_of_a_killed_process_are_cleared(store: FoldStore) -> None:
    with store.work(0) as part:
        assert part is not None
        (part / ".last.pt.xyz").write_text("half")
        (part / "last.pt").write_text("whole")
    with store.work(0) as part:
        assert part is not None and [p.name for p in part.iterdir()] == ["last.pt"]


def test_a_busy_fold_is_left_alone_until_its_process_dies(store: FoldStore) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.folder)], env=os.environ | {"PYTHONPATH": os.getcwd()}
    )
    try:
        wait_until(lambda: (store.part(0) / "held").exists())
        assert store.state(0) == "busy" and store.state(1) == "absent"
        with store.work(0) as part:
            assert part is None
        with store.work(1) as part:
            assert part is not None
    finally:
        holder.kill()
        holder.wait()
    assert store.state(0) == "part"
    with store.work(0) as part:
        assert part is not None and (part / "held").exists()


def test_someone_who_only_looks_does_not_make_a_fold_busy(store: FoldStore) -> None:
    import threading
    import time

    def look() -> None:
        with lock(store.folder / "fold0.lock"):
            looking.set()
            time.sleep(0.1)

    looking = threading.Event()
    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    with store.work(0) as part:
        assert part is not None
    thread.join()


# ---- keys --------------------------------------------------------------------------------------


class Two(Recipe):
    task = Task(name="t", kind="binary", targets=("y",), metric=roc_auc)
    boost: Boost = Boost()
    encoder: Encoder = Encoder()


def table(**changes: Any) -> Table:
    frame = pd.DataFrame({"id": list("abcdefgh"), "x": range(8), "y": [0, 1] * 4}).assign(**changes)
    return Table(Two.task, frame, pd.DataFrame({"id": ["t"], "x": [1]}))


def key(name: str = "encoder", *settings: str, rows: Table | None = None, recipe: Recipe | None = None) -> str:
    run = Run((recipe or Two()).override(*settings), rows or table(), Path("nowhere"))
    return run.store(name).folder.name


def test_the_key_changes_with_what_changes_predictions() -> None:
    keys = [key(), key("boost"), key("encoder", "encoder.lr=5e-5"), key("encoder", "encoder.seed=1"), key("encoder", "folds.n=3"),
            key("encoder", "folds.seed=1"), key(rows=table(x=range(1, 9))), key(rows=table(y=[1, 0] * 4)),
            key("encoder", recipe=Two(folds=KFold(n=2))),
            *(key("encoder", recipe=Two(folds=TimeSeries(time="x", n=2, gap=gap))) for gap in (0, 1))]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_the_key_does_not_change_with_what_does_not() -> None:
    class Judged(Two):
        task = Task(name="t", kind="binary", targets=("y",), metric=rmse, slug="elsewhere")

    same = [key("encoder", "save_every=0"), key("encoder", "boost.lr=0.5"), key(recipe=Judged())]
    assert set(same) == {key()}


def test_a_member_of_another_version_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key("boost")
    monkeypatch.setattr(Boost, "version", Boost.version + 1)
    assert key("boost") != before


def test_what_only_an_unfinished_fit_needs_goes_with_the_end(tmp_path: Path) -> None:
    store = FoldStore.of(tmp_path, "m", {"a": 1})
    with store.work(0) as part:
        assert part is not None
        for name in ("last.pt", "part0/last.pt", "part0/log.jsonl", "done0/model", "model/weights"):
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_text("x")
        store.finish(0, np.zeros((2, 1)), np.zeros((1, 1)), {"score": 1.0})
    (fold,) = store.folder.glob("fold0")
    left = sorted(str(p.relative_to(fold)) for p in fold.rglob("*") if p.is_file() and p.parent != fold)
    assert left == ["model/weights", "part0/log.jsonl"] and not (fold / "last.pt").exists()
    sums = read_json(fold / "sums.json")  # of all that is there, the model too
    assert set(sums) == {"valid.npy", "test.npy", "score.json", *left} and store.model(0) == fold / "model"


def test_a_damaged_spec_is_written_again_with_the_next_fit(
    store: FoldStore, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(store)
    path = store.folder / "spec.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    finish(store, 1)
    assert path.read_bytes() == whole and f"kit: {path} is damaged" in capsys.readouterr().err

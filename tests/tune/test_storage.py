"""Searches of several workers and machines, killed ones, and the command; a real PostgreSQL server where there is one."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.tune import Tuned, Tuning, tune
from kit.tune.storage import address, opened_storage, quiet
from kit.tune.trials import searches
from tests.helpers.house import ROOT, House, in_process, tree
from tests.helpers.tuning import Bench, begin_together, bench, place  # noqa: F401


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits.txt"))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr("kit.tune.search.draw", lambda *_: [])
    monkeypatch.setattr("kit.tune.search.importances", lambda *_: {})


def searched(bench: Bench, root: Path, **options: Any) -> Tuned:
    root.mkdir(exist_ok=True)
    given = {"member": "bowl", "rescore": 0, "pruner": "none"} | options
    return tune(bench.run(root), Tuning(**given))


def fits(root: Path) -> list[list[str]]:
    path = root / "fits.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def same(trials: list[dict[str, Any]]) -> list[Any]:
    return [(t["number"], t["state"], t["score"], t["settings"], t["store"]) for t in trials]


# ---- several workers ---------------------------------------------------------------------------


@pytest.mark.slow
def test_two_workers_share_one_study(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW", "0.1")
    numbers: list[int] = []
    tuning = Tuning(member="bowl", trials=8, on="processes:2", rescore=1, pruner="none")
    on_trial = lambda trial, best: numbers.append(trial["number"])  # noqa: E731
    tuned = tune(bench.run(tmp_path), tuning, on_trial)
    assert [t["number"] for t in tuned.trials] == list(range(8)) == sorted(numbers)
    assert {t["state"] for t in tuned.trials} == {"complete"}
    assert [t["own"] for t in tuned.trials] == [True] + [False] * 7  # the first is the recipe's own settings
    assert tuned.trials[0]["settings"] == [] and tuned.own == tuned.trials[0]
    assert tuned.trials[0]["store"] == bench.run(tmp_path).with_threads(1).store("bowl").folder.name
    done = fits(tmp_path)
    assert len({line[5] for line in done} - {str(os.getpid())}) >= 2  # processes that fitted
    assert len({tuple(line[:5]) for line in done}) == len(done)  # nothing was fitted twice
    assert tuned.rescored is not None and tuned.rescored.gain.low > 0


def test_threads_are_shared_among_workers(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("kit.tune.search.work_together", lambda search, workers, on, tell: seen.append((search, on)))
    for workers, threads, on in ((2, 8, "processes:2"), (3, 8, "processes:3"), (9, 8, "processes:9")):
        tuning = Tuning(member="bowl", trials=1, workers=workers, rescore=0)
        monkeypatch.setattr("kit.tune.search.fit_jobs", lambda *given: {})
        tune(bench.run(tmp_path, threads=threads), tuning)
        assert seen[-1][0].run.threads == max(1, threads // workers) and seen[-1][1] == on


def test_workers_and_executors_agree() -> None:
    assert Tuning(member="x", on="processes:3").executor == ("processes:3", 3)
    assert Tuning(member="x", workers=1).executor == ("inline", 1)
    with pytest.raises(KitError, match="^workers=2 and on=processes:3 disagree; give one of them$"):
        Tuning(member="x", workers=2, on="processes:3").executor  # noqa: B018
    if find_spec("ray"):
        assert Tuning(member="x", workers=5, on="ray:a:1").executor == ("ray:a:1", 5)


@pytest.mark.slow
def test_workers_on_ray(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("ray") is None:  # not imported here: it must be told things first
        pytest.skip("the extra 'ray' is not installed")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(bench.folder))
    tuned = searched(bench, tmp_path, trials=5, on="ray", workers=2)
    assert [t["number"] for t in tuned.trials] == list(range(5)) and tuned.best is not None


# ---- workers that die --------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_in_the_middle_it_loses_no_finished_fold(bench: Bench, tmp_path: Path) -> None:
    house = place(tmp_path / "house")
    words = ["tune", "bowls", "bowl", "--trials", "12", "--rescore", "1"]
    asleep = lambda: list((house.folder / "runs/bowls").glob("bowl-*/fold?.part/asleep"))  # noqa: E731
    assert house.kill_when(asleep, *words, SLEEP_AT="8")[0] == -9
    finished = {(p.parent.parent.name, p.parent.name) for p in house.folder.glob("runs/bowls/bowl-*/fold?/valid.npy")}
    before = fits(house.folder)
    assert len(before) == 8 and len(finished) == 7
    done = house.kit(*words)
    assert done.returncode == 0, done.stderr
    assert "2 trials ended before" in done.stdout and "trial 2: rmse" in done.stdout
    after = fits(house.folder)[len(before) :]
    assert after[0][:5] == before[-1][:5]  # the fold that was under way, and none that was finished
    assert not {tuple(f[:5]) for f in before[:-1]} & {tuple(f[:5]) for f in after}
    whole = tune(bench.run(tmp_path / "whole"), Tuning(member="bowl", trials=12, rescore=0))
    kept = searches(house.folder / "runs/bowls", "bowl")[0]["trials"]
    assert [t[1:4] for t in same(kept)] == [t[1:4] for t in same(whole.trials)]

    # what the command says, and what comes of it
    lines = done.stdout.splitlines()
    assert sum(bool(re.match(r"trial \d+: ", line)) for line in lines) == 10
    assert any("scored again on 1 other fold plans and seeds" in line for line in lines)
    assert lines[-1].startswith("make cv comp=bowls preset=tuned takes: bowl.a=")
    assert "[I " not in done.stderr and "Warning" not in done.stderr and "optuna" not in done.stderr.lower()
    assert {p.name for p in (house.folder / "runs/bowls/tune/bowl").glob("*.png")} == {"history.png", "importance.png"}
    best = read_json(house.folder / "runs/bowls/tuned.json")["bowl"]
    taken = house.kit("cv", "bowls", "--only", "bowl", "--preset", "tuned")
    assert taken.returncode == 0, taken.stderr
    assert "3 of 3 folds were finished before" in taken.stdout  # the winner's own folds
    assert f"{best['score']:.5f}" in taken.stdout
    blended = house.kit("blend", "bowls", "--only", "bowl", "--tuned", "2")
    assert blended.returncode == 0 and f"bowl@{best['trial']}" in blended.stdout


def test_a_trial_of_a_machine_that_died_is_tried_again(bench: Bench, tmp_path: Path) -> None:
    import optuna
    from sqlalchemy import create_engine, text

    url = f"sqlite:///{tmp_path}/shared.db"
    searched(bench, tmp_path / "a", trials=2, storage=url)
    with quiet():
        storage = opened_storage(url)
        (name,) = optuna.study.get_all_study_names(storage)
        study = optuna.load_study(study_name=name, storage=storage)
        lost = study.ask()
        params = {"bowl.a": 0.29, "bowl.b": 0.1, "bowl.kind": "y"}
        lost.suggest_float("bowl.a", -1, 1), lost.suggest_float("bowl.b", 1e-4, 1, log=True)
        kind = lost.suggest_categorical("bowl.kind", ["x", "y"])
        params = {"bowl.a": lost.params["bowl.a"], "bowl.b": lost.params["bowl.b"], "bowl.kind": kind}
        storage.record_heartbeat(lost._trial_id)
    found = searched(bench, tmp_path / "b", trials=4, storage=url)
    assert [t["number"] for t in found.trials] == [0, 1, 3]  # it may still be alive, and counts
    with create_engine(url).begin() as connection:
        connection.execute(text("update trial_heartbeats set heartbeat = datetime('now', '-1 hour')"))
    found = searched(bench, tmp_path / "b", trials=4, storage=url)
    assert [t["number"] for t in found.trials] == [0, 1, 3, 4]
    with quiet():
        again = optuna.load_study(study_name=name, storage=opened_storage(url)).trials
    assert again[2].state.name == "FAIL" and again[4].params == params and again[4].user_attrs["retries"] == 2


# ---- storages ----------------------------------------------------------------------------------


def binaries() -> Path | None:
    found = [Path(p) for p in [shutil.which("initdb")] if p] + sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server that runs for this file's tests, with its own database."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    if (where := binaries()) is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="kit-pg-", dir="/tmp"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        if shutil.which("runuser") is None:
            pytest.skip("root needs runuser and the user postgres to start PostgreSQL")
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(*words: Any) -> None:
        done = subprocess.run([*as_user, *map(str, words)], capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    call(where / "initdb", "-D", folder / "db", "-A", "trust", "-U", "kit", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call(where / "pg_ctl", "-D", folder / "db", "-l", folder / "log", "-w", "-o", options, "start")
    try:
        yield f"postgresql://kit:secret@127.0.0.1:{port}/postgres"
    finally:
        call(where / "pg_ctl", "-D", folder / "db", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_searches_begin_together_on_a_fresh_server(bench: Bench, tmp_path: Path, postgres: str) -> None:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("create database fresh")
    begin_together(bench, tmp_path, address(postgres.rpartition("/")[0] + "/fresh", tmp_path))


def test_a_password_is_shown_nowhere(tmp_path: Path, postgres: str) -> None:
    house = place(tmp_path / "house")
    asleep = lambda: list((house.folder / "runs/bowls").glob("bowl-*/fold?.part/asleep"))  # noqa: E731
    words = ["tune", "bowls", "bowl", "trials=3", "debug=1", "folds=0", "rescore=0", f"storage={postgres}"]
    code, said = house.kill_when(asleep, *words, sign=signal.SIGINT, SLEEP_AT="2")
    assert code == 130 and f"storage={postgres.replace('secret', '***')}" in said.replace("'", "")
    assert "To go on: kit tune bowls bowl" in said and "(with the password in place of ***)" in said
    done = house.kit(*words)
    assert done.returncode == 0, done.stderr
    wrong = house.kit(*[word.replace("secret", "s%65cret&me").replace("127.0.0.1", "127.0.0.9") for word in words])
    assert wrong.returncode == 2 and "Traceback" in wrong.stderr and "storage=postgresql" in wrong.stderr
    for text in (said, done.stdout, done.stderr, wrong.stdout, wrong.stderr):
        assert "secret" not in text and "s%65cret" not in text
    for path, content in tree(house.folder).items():
        assert b"secret" not in content, path


@pytest.mark.slow
def test_postgresql_serves_several_machines(bench: Bench, tmp_path: Path, postgres: str) -> None:
    first = searched(bench, tmp_path / "a", trials=6, workers=2, storage=postgres)
    assert [t["number"] for t in first.trials] == list(range(6))
    assert not list((tmp_path / "a").rglob("*.db"))
    # another machine has its own run folder, and goes on with the same study
    second = searched(bench, tmp_path / "b", trials=9, storage=postgres)
    assert same(second.trials[:6]) == same(first.trials) and len(second.trials) == 9
    assert {p.name for p in (tmp_path / "b/run").glob("bowl-*")} == {t["store"] for t in second.trials[6:]}
    for path in tmp_path.rglob("*.json"):
        assert "secret" not in path.read_text()
    # at the same time: another process in a third folder
    script = (
        "from pathlib import Path\nfrom tests.helpers.tuning import Bench\nfrom kit.tune import Tuning, tune\n"
        f"import sys; bench = Bench(Path({str(tmp_path / 'third')!r}))\n"
        f"tune(bench.run(Path({str(tmp_path / 'c')!r})), Tuning(member='bowl', trials=16, rescore=0, pruner='none',"
        f" storage={postgres!r}))\n"
    )
    path = str(ROOT)
    environment = os.environ | {"PYTHONPATH": path, "SLOW": "0.05"}
    other = subprocess.Popen([sys.executable, "-c", script], env=environment)
    third = searched(bench, tmp_path / "b", trials=16, storage=postgres)
    assert other.wait(timeout=120) == 0
    # one of them ended while the other was at work on the last trial
    counts = sorted([len(searches(tmp_path / "c/run", "bowl")[0]["trials"]), len(third.trials)])
    assert counts[0] >= 15 and counts[1] == 16


def test_addresses(tmp_path: Path) -> None:
    assert address("", tmp_path / "x.db") == f"sqlite:///{tmp_path}/x.db"
    assert address("sqlite:////a/b.db", tmp_path) == "sqlite:////a/b.db"
    assert address("sqlite:///b.db", tmp_path) == f"sqlite:///{Path.cwd()}/b.db"
    for said in ("postgresql", "postgres", "postgresql+psycopg"):
        assert address(f"{said}://u@h/n", tmp_path) == "postgresql+psycopg://u@h/n"


def test_a_storage_that_cannot_be_opened_leaves_no_trace(bench: Bench, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cases = [(f"sqlite:///{tmp_path}/no/such/folder/x.db", "there is no folder")]
    if find_spec("psycopg"):
        cases.append((f"postgresql://me:secret@127.0.0.1:{port}/x", "connection failed"))
    for storage, said in cases:
        with pytest.raises(KitError) as error:
            searched(bench, tmp_path / "a", trials=2, storage=storage)
        assert str(error.value).startswith("storage=") and said in str(error.value) and "secret" not in str(error.value)
        assert "\n" not in str(error.value) and tree(tmp_path) == {}


REFUSED = [
    (["bol"], "kit: 'bowls' has no member 'bol'; did you mean 'bowl'?"),
    (["bowl", "--trials", "0"], "kit: Tuning.trials = 0: input should be greater than or equal to 1"),
    (["bowl", "--hours", "0"], "kit: Tuning.hours = 0.0: input should be greater than 0"),
    (["bowl", "--workers", "0"], "kit: Tuning.workers = 0: input should be greater than or equal to 1"),
    (["bowl", "--holdout", "0.9"], "kit: Tuning: holdout = 0.9: give 0, or a share of the rows between 0.05 and 0.5"),
    (["bowl", "--pruner", "wilcoxon"], "kit: pruner=wilcoxon stops a trial after 3 folds at the earliest, so it needs at least 4 folds; there are 3"),
    (["bowl", "--pruner", "mean"], "kit: Tuning.pruner = 'mean': input should be 'median', 'wilcoxon' or 'none'"),
    (["bowl", "--on", "inlin"], "kit: on=inlin: no such executor; did you mean 'inline'?"),
    (["bowl", "--folds", "0,9"], "kit: fold 9 does not exist; there are: 0, 1, 2"),
    (["bowl", "--storage", "mysql://me:pw@h/x"], "kit: storage=mysql://me:***@h/x: not of the form postgresql://user@host/name or sqlite:///file"),
    (["bowl", "--preset", "tuned"], "kit: preset=tuned: runs/bowls/tuned.json is not there; make tune comp=bowls member=… writes it"),
    (["bowl", "--set", "bowl.kind=w"], "kit: Bowl.kind = 'w': string should match pattern '^[xyz]$'"),
    (["bowl", "--storage", "sqlite:////no/such/x.db"], "kit: storage=sqlite:////no/such/x.db cannot be opened: there is no folder /no/such"),
]  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return place(tmp_path_factory.mktemp("refused") / "house")


@pytest.mark.parametrize("words, sentence", REFUSED, ids=[" ".join(w) for w, _ in REFUSED])
def test_refusals_are_one_line_and_write_nothing(
    house: House, words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(house.folder)
    code = in_process(house, ["tune", "bowls", *words], monkeypatch)
    captured = capsys.readouterr()
    assert (code, captured.err) == (2, sentence + "\n")
    assert tree(house.folder) == before

"""Jobs: a run travels as its names, every job has one outcome, and what happens is reported in order."""

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import KitError
from kit.members import Boost
from kit.run.events import Event, FoldEnded, FoldStarted, PrepareEnded, PrepareStarted
from kit.run.fold import fit_fold
from kit.run.jobs import Job, fit_jobs, jobs_of, raise_failures, unfinished
from kit.run.opened import Opened
from kit.run.outcome import Outcome
from kit.run.run import Run
from tests.helpers.house import ROOT
from tests.helpers.small import fits, opened, small  # noqa: F401

ELSEWHERE = """
import pickle, sys
run = pickle.load(sys.stdin.buffer)
print(*[run.store(name).folder.name for name in run.recipe.members])
"""


def keys(run: Run) -> list[str]:
    return [run.store(name).folder.name for name in run.recipe.members]


def test_a_run_travels_as_its_names(small: Any, tmp_path: Path) -> None:
    plain = opened(small, tmp_path, "memory.shift=1")
    far = plain.with_members({"boost@7": Boost(trees=3)}).with_settings("folds.n=3", "boost.lr=0.2").with_fewer(30)
    for run in (plain, far, far.with_holdout(0.2)):
        packed = pickle.dumps(run)
        assert len(packed) < 2000
        there = subprocess.run(
            [sys.executable, "-c", ELSEWHERE], input=packed, capture_output=True, check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(small.data.parent)])},
        )  # fmt: skip
        assert there.returncode == 0, there.stderr.decode()
        assert there.stdout.decode().split() == keys(run)
    assert list(far.recipe.members) == ["boost", "memory", "boost@7"]  # settings do not drop a further member
    assert len({key for run in (plain, far, far.with_holdout(0.2)) for key in keys(run)}) == 2 + 3 + 3


def test_a_job_travels_with_its_run(small: Any, tmp_path: Path) -> None:
    run = opened(small, tmp_path)
    job = Job(run, "memory", 2, "memory, seed 0")
    assert job.store.folder == run.store("memory").folder  # what was computed of it stays here
    back = pickle.loads(pickle.dumps(job))
    assert (back.member, back.fold, str(back)) == ("memory", 2, "memory, seed 0 fold 2")
    assert back.store.folder == job.store.folder and back.run is pickle.loads(pickle.dumps(job)).run
    assert {job: 1}[Job(run, "memory", 2)] == 1 and job != Job(run, "memory", 1)


def test_a_run_of_frames_is_refused_where_it_cannot_go(small: Any, tmp_path: Path) -> None:
    named = opened(small, tmp_path)
    run = Run(named.recipe, named.table, tmp_path / "run")
    said = (
        "the run was opened from frames, or its recipe class is in no module that can be imported; write the rows to "
        "files and the recipe to a module, and open that recipe on the folder of these files$"
    )
    with pytest.raises(KitError, match="^on=processes:2 needs a run that other processes can open: " + said):
        fit_jobs(jobs_of(run), "processes:2")
    with pytest.raises(KitError, match="^the run cannot be pickled: " + said):
        pickle.dumps(run)
    assert not (tmp_path / "run").exists()
    assert fit_jobs(jobs_of(run, "memory", [0]))[Job(run, "memory", 0)] == Outcome("done")  # inline it needs no names


def test_names_are_those_of_the_very_recipe(small: Any, tmp_path: Path) -> None:
    class Inner(small):  # type: ignore[misc]
        pass

    places = (small.data, tmp_path, tmp_path)
    assert Opened.of(small().override("boost.trees=3"), ("boost.trees=3",), *places) is not None
    assert Opened.of(small(boost=Boost(trees=3)), (), *places) is None  # no setting says so
    assert Opened.of(Inner(), (), *places) is None  # no other process can import it


def test_what_happens_is_reported_in_order(small: Any, tmp_path: Path) -> None:
    run = opened(small, tmp_path)
    assert fit_fold(run, "memory", 1).state == "done"
    events: list[Event] = []
    outcomes = fit_jobs(jobs_of(run, "memory", [0, 1]), on_event=events.append)
    first, kept = jobs_of(run, "memory", [0, 1])
    assert outcomes == {first: Outcome("done"), kept: Outcome("kept")}
    assert [type(event) for event in events] == [FoldEnded, PrepareStarted, PrepareEnded, FoldStarted, FoldEnded]
    assert events[0].job == kept and {event.job for event in events[1:]} == {first}
    ended = events[-1]
    assert isinstance(ended, FoldEnded) and ended.metric == "roc_auc"
    fold = first.read()
    assert fold is not None and (ended.score, ended.seconds) == (
        fold.score["score"], sum(fold.score["seconds"].values()))  # fmt: skip
    assert first.cost()["seconds"] == ended.seconds
    assert jobs_of(run) == [Job(run, name, fold) for name in ("boost", "memory") for fold in run.folds]


def test_processes_report_who_has_begun(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(small.data.parent)]))
    run, events = opened(small, tmp_path), list[Event]()
    outcomes = fit_jobs(jobs_of(run, "memory"), "processes:2", events.append)
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    names = ["+" if isinstance(e, FoldStarted) else "-" for e in events if isinstance(e, FoldStarted | FoldEnded)]
    assert "".join(names) == "++-+-+--"  # never more than two at once
    assert [e.job.fold for e in events if isinstance(e, FoldStarted)] == run.folds


def test_jobs_of_one_place_are_one_fit(small: Any, tmp_path: Path, fits: Path) -> None:
    run = opened(small, tmp_path)
    twins = [Job(run, "memory", 0), Job(run.with_settings("memory.shift=0"), "memory", 0)]
    outcomes = fit_jobs(twins)
    assert [outcomes[twin].state for twin in twins] == ["done", "done"] and len(fits.read_text().split()) == 1


def test_a_member_prepares_once(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()
    monkeypatch.setattr(
        importlib.import_module("small_recipe").Memory, "prepare", lambda member, rows: seen.append(len(rows))
    )
    run = opened(small, tmp_path)
    fit_jobs(jobs_of(run, "memory"))
    assert seen == [30]
    fit_jobs(jobs_of(run, "memory"))
    assert seen == [30]  # and not at all where nothing is missing


def test_faults_are_sentences(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOD", "fail")
    run = opened(small, tmp_path)
    jobs, events = jobs_of(run, "memory"), list[Event]()
    outcomes = fit_jobs(jobs, on_event=events.append)
    (bad,) = [job for job in jobs if not outcomes[job].finished]
    assert (
        outcomes[bad] == Outcome("failed", "RuntimeError: a bad day")
        and bad.store.why(bad.fold) == outcomes[bad].sentence
    )
    with pytest.raises(KitError, match=f"^memory fold {bad.fold}: RuntimeError: a bad day; what is finished is kept$"):
        raise_failures(outcomes)
    assert unfinished(jobs) == [bad]
    monkeypatch.delenv("MOOD")
    with bad.store.work(bad.fold):
        busy = fit_jobs([bad])[bad]
    assert busy == Outcome("busy", "another process is fitting it")
    raise_failures(fit_jobs(jobs))


def test_a_data_folder_that_is_gone_is_a_sentence_of_the_job(small: Any, tmp_path: Path) -> None:
    names = Opened("small_recipe:Small", (), tmp_path / "nowhere", tmp_path / "run", tmp_path)
    run = opened(small, tmp_path)
    far = Run(run.recipe, run.table, run.root, opened=names)
    (outcome,) = fit_jobs(jobs_of(far, "memory", [0]), "processes:1").values()
    assert outcome == Outcome("failed", f"{tmp_path}/nowhere: train.csv is missing")

"""A recipe from CSV files to a submission: each row judged once by a model that did not see it; faults; executors."""

import dataclasses
import importlib
import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.ensemble import OutOfFold, nested
from kit.member import Member
from kit.members import Boost, Perceptron, Seeds, Views
from kit.metrics import Metric, log_loss, roc_auc
from kit.report import leaderboard
from kit.run.blend import blend, last_blend
from kit.run.fold import ATTEMPT, fit_fold, seconds_before
from kit.run.jobs import jobs_of, unfinished
from kit.run.oof import out_of_fold
from kit.run.opened import Opened
from kit.run.run import Run, run_of
from kit.tta import Window
from tests.helpers.house import House
from tests.helpers.small import fits, fitted, opened, small  # noqa: F401


def seen(run: Run) -> str:
    console = Console(width=160, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(leaderboard(run, list(run.recipe.members), last_blend(run)))
    return console.export_text()


def test_from_csv_to_submission(small: Any, tmp_path: Path) -> None:
    run = opened(small, tmp_path)
    assert set(fitted(run).values()) == {"done"}
    report = blend(run, ["boost", "memory"])
    assert report is not None and report.summary is not None and report.submission is not None

    folds = run.gathered("memory")
    x = run.table.train["x"].to_numpy()
    stranger = 0.25 + 0.5 / (1 + np.exp(-x))
    oof = out_of_fold(run, folds)
    np.testing.assert_array_equal(oof[:, 0], stranger.astype(np.float32))  # 1.0 where a model has met the row
    assert sorted(np.concatenate([np.flatnonzero(run.plan == f) for f in folds])) == list(range(120))

    # the submission: mean over folds, then over members (the blend is Mean), in the sample's order
    tests = [np.mean([f.test for f in run.gathered(n).values()], axis=0) for n in ("boost", "memory")]
    by_id = dict(zip(run.table.test["id"], np.mean(tests, axis=0)[:, 0], strict=True))
    written = pd.read_csv(report.submission, dtype={"id": str})
    asked = pd.read_csv(small.data / "sample_submission.csv", dtype={"id": str})
    assert written.columns.tolist() == ["id", "y"] and written["id"].tolist() == asked["id"].tolist()
    np.testing.assert_allclose(written["y"], [by_id[i] for i in written["id"]], rtol=1e-6)

    both = np.stack([out_of_fold(run, run.gathered(n)) for n in ("boost", "memory")])
    honest = nested(
        run.recipe.blend, OutOfFold(both, run.table.y, run.table.task.metric, ["boost", "memory"], run.plan)
    )
    assert honest is not None and report.summary["nested"] == honest.score
    assert report.weights == {"boost": 0.5, "memory": 0.5}
    for name in ("boost", "memory"):  # a fold's score is that of its own rows
        for fold, kept in run.gathered(name).items():
            here = run.plan == fold
            assert kept.score["score"] == run.table.task.metric(run.table.y[here], kept.valid)
    shown = seen(run)
    assert "boost*" in shown and "memory*" not in shown and "* boost: early stopping uses the validation fold" in shown
    assert f"nested roc_auc {honest.score:.5f}" in shown


def test_nothing_left_to_do_fits_nothing(small: Any, tmp_path: Path, fits: Path) -> None:
    fitted(opened(small, tmp_path))
    assert len(fits.read_text().split()) == 4
    run = opened(small, tmp_path)
    assert unfinished(jobs_of(run)) == [] and fitted(run) == {}
    assert fit_fold(run, "memory", 0).state == "kept" and len(fits.read_text().split()) == 4
    blend(run, ["boost", "memory"])
    path = tmp_path / "run/blend/oof.npy"
    made = path.stat().st_mtime_ns
    assert blend(run, ["boost", "memory"]) is not None and path.stat().st_mtime_ns == made  # read, not made again
    path.write_bytes(path.read_bytes()[:-1])
    assert last_blend(run) is None  # damaged: its numbers are no longer what was blended
    assert blend(run, ["boost", "memory"]) is not None and path.stat().st_mtime_ns != made
    (tmp_path / "run/submission.csv").unlink()
    blend(run, ["boost", "memory"])
    assert (tmp_path / "run/submission.csv").exists() and (tmp_path / "run/blend/oof.npy").exists()


def test_clusters_are_known_whether_or_not_the_plan_is_on_disk(small: Any, tmp_path: Path) -> None:
    run = opened(small, tmp_path)
    assert run.clusters is None and run.clusters_of(run.plan == 0) is None
    twins = np.r_[0, 0, np.arange(2, 120)]  # rows 0 and 1 alike
    frame = (
        run.table.train.iloc[twins]
        .reset_index(drop=True)
        .assign(**{c: run.table.train[c] for c in (run.table.task.id, "y")})
    )
    other = Run(run.recipe, replace(run.table, train=frame), tmp_path / "other")
    for _ in range(2):
        assert other.clusters is not None and other.clusters[:3].tolist() == [0, 0, 1]
        assert other.clusters_of(np.array([2, 1])).tolist() == [1, 0]
        other.keep_plan()
        other = Run(run.recipe, other.table, tmp_path / "other")


def test_a_changed_member_is_refitted_alone(small: Any, tmp_path: Path) -> None:
    fitted(opened(small, tmp_path))
    changed = opened(small, tmp_path, "memory.shift=1")
    assert [(j.member, j.fold) for j in unfinished(jobs_of(changed))] == [("memory", f) for f in range(4)]
    other = opened(small, tmp_path, "folds.seed=1")
    assert len(unfinished(jobs_of(other))) == 8


def test_some_folds_then_the_rest(small: Any, tmp_path: Path, fits: Path) -> None:
    run = opened(small, tmp_path)
    assert list(fitted(run, ("memory",), [1, 0])) == [("memory", 0), ("memory", 1)]
    assert blend(run, ["memory"]) is None
    assert [run.store("memory").state(f) for f in range(4)] == ["done", "done", "absent", "absent"]
    assert "·" in seen(run)
    assert list(fitted(run, ("memory",))) == [("memory", 2), ("memory", 3)]
    assert len(fits.read_text().split()) == 4 and blend(run, ["memory"]) is not None
    with pytest.raises(KitError, match="^fold 9 does not exist; there are: 0, 1, 2, 3$"):
        run.chosen_folds([0, 9])


def test_a_failing_fold_leaves_its_reason_and_the_rest_goes_on(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOD", "fail")
    run = opened(small, tmp_path)
    outcomes = fitted(run)
    bad = run.plan[0]  # the fold that judges the first row
    assert [pair for pair, outcome in outcomes.items() if outcome == "failed"] == [("memory", bad)]
    text = (run.store("memory").part(bad) / "error.txt").read_text()
    assert text.startswith("Traceback") and text.rstrip().endswith("RuntimeError: a bad day")
    assert run.store("memory").state(bad) == "failed" and "failed" in seen(run)
    report = blend(run, ["boost", "memory"])
    assert report is not None and list(report.weights) == ["boost"]
    monkeypatch.delenv("MOOD")
    assert fitted(run) == {("memory", bad): "done"}


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda n: np.full((n, 2), 0.5), "memory: predictions have shape"),
        (lambda n: np.full(n, 0.5), "memory: predictions have shape"),
        (lambda n: np.full((n, 1), np.nan), "memory: 30 predictions are NaN or infinite"),
    ],
)
def test_predictions_that_would_hurt_later(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str
) -> None:
    module = importlib.import_module("small_recipe")
    monkeypatch.setattr(module.Knows, "predict", lambda self, rows: answer(len(rows)))
    run = opened(small, tmp_path)
    assert set(fitted(run, ("memory",)).values()) == {"failed"}
    text = (run.store("memory").part(0) / "error.txt").read_text()
    assert text.startswith(said) and "Traceback" not in text


def test_a_member_that_cannot_prepare_stops_no_other(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_weights(self: Any, rows: Any) -> None:
        raise KitError("weights 'x' not found")

    monkeypatch.setattr(importlib.import_module("small_recipe").Memory, "prepare", no_weights)
    run = opened(small, tmp_path)
    outcomes = fitted(run)
    assert {o for (name, _), o in outcomes.items() if name == "memory"} == {"failed"}
    assert {o for (name, _), o in outcomes.items() if name == "boost"} == {"done"}
    assert (run.store("memory").part(3) / "error.txt").read_text() == "weights 'x' not found\n"


def test_without_a_test_file(small: Any, tmp_path: Path) -> None:
    recipe = small()
    (tmp_path / "train.csv").write_bytes((small.data / "train.csv").read_bytes())
    run = Run(recipe, recipe.load(tmp_path), tmp_path / "run")
    assert set(fitted(run).values()) == {"done"}
    report = blend(run, ["boost", "memory"])
    assert report is not None and report.submission is None and not (tmp_path / "run/submission.csv").exists()


def test_executors_give_the_same_bytes(house: House) -> None:
    assert house.kit("cv", "small", "--on", "inline").returncode == 0
    inline = house.predictions()
    assert len(inline) == 2 * 4 * 2 + 3
    house.runs.rename(house.folder / "first")
    done = house.kit("cv", "small", "--on", "processes:2")
    assert done.returncode == 0, done.stderr
    assert house.predictions() == inline


@pytest.mark.slow
def test_ray_gives_the_same_bytes(house: House) -> None:
    if find_spec("ray") is None:
        pytest.skip("the extra 'ray' is not installed")
    assert house.kit("cv", "small").returncode == 0
    inline = house.predictions()
    house.runs.rename(house.folder / "first")
    done = house.kit("cv", "small", "--on", "ray", RAY_USAGE_STATS_ENABLED="0")
    assert done.returncode == 0, done.stderr + done.stdout
    assert house.predictions() == inline


@pytest.mark.parametrize("on", ["inline", "processes:2"])
def test_a_failure_exits_with_1_and_names_it(house: House, on: str) -> None:
    done = house.kit("cv", "small", "--on", on, "--set", "boost.trees=2", MOOD="fail")
    assert done.returncode == 1
    assert "RuntimeError: a bad day" in done.stdout
    (error,) = house.runs.glob("memory-*/fold*.part/error.txt")
    fold = error.parent.name.removesuffix(".part").removeprefix("fold")
    assert done.stderr == f"kit: failed: memory fold {fold}; run this again to retry; what is finished is kept\n"
    again = house.kit("cv", "small", "--on", on, "--set", "boost.trees=2")
    assert again.returncode == 0 and "7 of 8 folds were finished before" in again.stdout
    assert len(house.fits()) == 5


@pytest.mark.slow
def test_a_worker_that_dies_takes_no_other_fold_with_it(house: House) -> None:
    done = house.kit("cv", "small", "--on", "processes:2", "--only", "memory", MOOD="die")
    assert done.returncode == 1
    (error,) = house.runs.glob("memory-*/fold*.part/error.txt")
    assert error.read_text().startswith("its process was killed")
    assert len(list(house.runs.glob("memory-*/fold?/valid.npy"))) == 3


def test_sample_is_a_part_and_kept_apart(house: House) -> None:
    done = house.kit("cv", "small", "--sample", "60", "--only", "memory")
    assert done.returncode == 0 and "so there is no submission" in done.stdout
    root = house.folder / "runs/small-60-rows"
    (score, *_) = sorted(root.glob("memory-*/fold0/score.json"))
    assert read_json(score)["rows"] == {"train": 45, "valid": 15, "test": 30}
    assert not (root / "submission.csv").exists() and not house.runs.exists()


def test_rows_are_read_once_for_all_settings_of_members(small: Any, tmp_path: Path) -> None:
    def run(*settings: str, sample: int | None = None) -> Run:
        return run_of(Opened("small_recipe:Small", settings, small.data, tmp_path / "run", tmp_path, sample))

    one, other, third = (run(*s) for s in ((), ("memory.shift=1",), ("boost.trees=3", "folds.n=3")))
    assert one.table is other.table and one.recipe != other.recipe and third.recipe.members != one.recipe.members
    assert third.table is not one.table  # folds may belong to how rows are read
    assert len(run(sample=50).table.y) == 50


def test_what_was_spent_before_a_kill_counts(small: Any, tmp_path: Path) -> None:
    run = opened(small, tmp_path)
    part = run.store("memory").part(0)
    part.mkdir(parents=True)
    assert seconds_before(part) == 0
    attempt = read_json(part / ATTEMPT)
    write_json(part / ATTEMPT, attempt | {"began": attempt["began"] - 500})
    (part / "last.pt").touch()
    os.utime(part / "last.pt", (attempt["began"] - 400, attempt["began"] - 400))  # the last trace of the killed one
    os.utime(part / ATTEMPT, (attempt["began"] - 500, attempt["began"] - 500))
    assert seconds_before(part) == pytest.approx(100, abs=0.1)
    assert seconds_before(part) == pytest.approx(100, abs=1)  # and one that died at once adds nothing
    assert fit_fold(run, "memory", 0).state == "done"
    (kept,) = run.gathered("memory").values()
    assert 100 <= kept.score["seconds"]["fit"] < 110
    assert not (run.store("memory").folder / "fold0" / ATTEMPT).exists()


@pytest.mark.parametrize("left", ["", "{", '{"before": 3}'])
def test_a_damaged_file_of_an_attempt_fails_no_fold(left: str, small: Any, tmp_path: Path) -> None:
    run = opened(small, tmp_path)
    part = run.store("memory").part(0)
    part.mkdir(parents=True)
    (part / ATTEMPT).write_text(left)
    assert fit_fold(run, "memory", 0).state == "done"


def test_a_damaged_plan_is_drawn_again_and_said(small: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = opened(small, tmp_path)
    run.keep_plan()
    (path,) = run.root.glob("folds-*.npy")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[140] ^= 1
    path.write_bytes(bytes(flipped))
    assert np.array_equal(opened(small, tmp_path).plan, run.plan) and path.read_bytes() == whole
    assert capsys.readouterr().err == f"kit: {path} is damaged; the folds are drawn again\n"


def test_a_plan_drawn_in_place_of_a_damaged_one_must_be_that_of_the_finished_folds(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = opened(small, tmp_path)
    assert fit_fold(run, "memory", 0).state == "done"
    (path,) = run.root.glob("folds-*.npy")
    damaged = bytearray(path.read_bytes())
    damaged[140] ^= 1
    path.write_bytes(damaged)
    plan, kind = run.plan, type(run.recipe.folds)
    drawn = kind.plan
    monkeypatch.setattr(kind, "plan", lambda *given: drawn(*given)[::-1].copy())  # as another version of a library may
    with pytest.raises(KitError) as error:
        opened(small, tmp_path).plan  # noqa: B018
    assert str(error.value) == (
        f"{path} is damaged, and the folds that are drawn again are not those of the finished folds; restore the file, or "
        "remove it to begin with other folds (the finished ones stay, unused)"
    )
    assert path.read_bytes() == damaged
    monkeypatch.setattr(kind, "plan", drawn)
    assert np.array_equal(opened(small, tmp_path).plan, plan)
    assert "the folds are drawn again" in capsys.readouterr().err


def test_another_metric_refits_those_alone_that_choose_by_it(small: Any, tmp_path: Path) -> None:
    def key(member: Member, metric: Metric) -> str:
        table = opened(small, tmp_path).table
        other = dataclasses.replace(table, task=table.task.model_copy(update={"metric": metric}))
        recipe = opened(small, tmp_path).recipe.with_members({"own": member})
        return Run(recipe, other, tmp_path).store("own").folder.name

    for stop, same in (("none", True), ("inner", False), ("valid", False)):
        net: Any = Perceptron(stop=stop, stop_by="metric")
        for member in (net, Seeds(member=net), Views(member=net, views=(Window(size=3),))):
            assert (key(member, roc_auc) == key(member, log_loss)) is same, (stop, member)
    assert key(Boost(patience=5), roc_auc) == key(Boost(patience=5), log_loss)  # it stops by its loss

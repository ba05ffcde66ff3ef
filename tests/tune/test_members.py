"""The best trials of searches as members of a blend, which says that they were chosen by their score."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.run.blend import blend, last_blend
from kit.run.run import Run
from kit.tune import tuned_members, with_trials
from tests.helpers.house import House, in_process
from tests.helpers.tuning import Bench, bench, bowl, careless, fits, place, searched  # noqa: F401


def test_the_best_trials_take_part_in_a_blend(bench: Bench, tmp_path: Path) -> None:
    tuned = searched(bench, tmp_path, trials=12)
    run = bench.run(tmp_path)
    ranked = sorted((t["score"], t["number"]) for t in tuned.trials if t["state"] == "complete" and not t["own"])
    found = tuned_members(run, "bowl", top=3)
    assert list(found) == [f"bowl@{number}" for _, number in ranked[:3]]
    wide = with_trials(run, top=3)
    assert list(wide.recipe.members)[-3:] == list(found) and wide.recipe.bowl == run.recipe.bowl
    report = blend(wide, ["bowl", *found])
    assert report is not None and list(report.weights) == ["bowl", *found] and report.submission is not None
    offs = [round(score, 6) for score, _ in ranked[:3]] + [bowl(0, -3, 1)]
    assert report.score == pytest.approx(np.mean(offs), abs=1e-5)  # Mean of members that miss by these
    (best,) = tuned_members(run, "bowl", top=1).values()
    assert best == run.recipe.override(*tuned.best["settings"]).bowl if tuned.best else False
    assert tuned_members(bench.run(tmp_path, "folds.seed=1"), "bowl") == {}  # other folds: nothing to blend
    with pytest.raises(KitError, match="^'noise' was not tuned in .*; make tune comp=bowls member=noise$"):
        tuned_members(run, "noise")


def test_a_blend_says_whom_their_scores_have_chosen(bench: Bench, tmp_path: Path) -> None:
    tuned = searched(bench, tmp_path, trials=6)
    run = bench.run(tmp_path)
    (trial,) = tuned_members(run, "bowl", top=1)
    plain = blend(run, ["bowl"])
    assert plain is not None and plain.chosen == () and plain.optimism == ""
    wide = with_trials(run, top=1)
    report = blend(wide, ["bowl", trial])
    assert report is not None and report.chosen == (trial,)
    assert report.optimism == f"{trial} was chosen by its score on these rows: the nested score is optimistic"
    assert read_json(run.root / "blend" / "report.json")["optimistic"] == report.optimism
    # preset=tuned is the same member under its own name, in whatever way it is spelled
    preset = Run(run.recipe.override(*tuned.settings), run.table, run.root)
    report = blend(preset, ["bowl"])
    assert report is not None and report.chosen == ("bowl",) and last_blend(preset) == report


def test_the_last_blend_knows_its_trials_again(bench: Bench, tmp_path: Path) -> None:
    from kit.evidence.compare import compare
    from kit.evidence.ledger import record
    from kit.report.page import write_report

    searched(bench, tmp_path, trials=5)
    run = bench.run(tmp_path)
    wide = with_trials(run, top=2)
    report = blend(wide, [name for name in wide.recipe.members if name.startswith("bowl")])
    assert report is not None and len(report.weights) == 3
    fresh = bench.run(tmp_path)
    assert last_blend(fresh) == report and "@" not in " ".join(fresh.recipe.members)
    assert record(fresh, 0.5).lb == 0.5
    assert compare(fresh, "blend", "bowl", seeds=1).verdict
    assert write_report(fresh, ["bowl"], True).exists()
    assert last_blend(bench.run(tmp_path, "folds.seed=1")) is None  # other folds
    (run.root / "blend" / "further.json").unlink()
    assert last_blend(fresh) is None


def test_trials_of_earlier_searches_are_remembered(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    first = searched(bench, tmp_path, trials=5, pruner="none")
    found = tuned_members(run, "bowl", top=9)
    assert len(found) == 4
    searched(bench, tmp_path, trials=3, folds=(0,), pruner="none")  # the same trials, on fewer folds
    assert tuned_members(run, "bowl", top=9) == found
    searched(bench, tmp_path, "bowl.seed=1", trials=5, pruner="none")  # others, of the same numbers
    wide = tuned_members(run, "bowl", top=9)
    assert len(wide) == 4 + 5 and set(found.values()) < set(wide.values())
    stores = {run.with_members(wide).store(name).folder for name in wide}
    assert len(stores) == 9 and all(folder.exists() for folder in stores)
    assert [t["number"] for t in first.trials] == list(range(5))


def test_folders_that_were_deleted_are_left_out(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    tuned = searched(bench, tmp_path, trials=4, pruner="none")
    ranked = list(tuned_members(run, "bowl"))
    best = next(t for t in tuned.trials if f"bowl@{t['number']}" == ranked[0])
    shutil.rmtree(run.root / best["store"])
    said: list[str] = []
    assert list(tuned_members(run, "bowl", say=said.append)) == ranked[1:]
    assert said == ["1 trial of bowl left out: the folder is not here"]
    # without its models a fold still counts: its predictions are all that a blend reads
    for model in run.root.glob("bowl-*/fold*/model"):
        shutil.rmtree(model)
    wide = with_trials(run)
    report = blend(wide, ["bowl", *ranked[1:]])
    assert report is not None and list(report.weights) == ["bowl", *ranked[1:]]


def test_trials_that_cannot_take_part_are_said(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    with pytest.raises(KitError, match=r"^tuned=3: no trial of bowl, noise was tuned in .*; make tune comp=bowls "):
        with_trials(run, 3, ["bowl", "noise"])
    searched(bench, tmp_path, trials=3, folds=(0, 1))
    with pytest.raises(KitError, match=r"^tuned=3: no trial of bowl was fitted on these rows and folds; make tune "):
        with_trials(bench.run(tmp_path, "folds.seed=1"), 3)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return place(tmp_path_factory.mktemp("members") / "house")


def test_the_commands_fit_what_trials_lack_and_show_them(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KIT_REPORT", "no")

    def kit(*words: str, ends_with: int = 0) -> str:
        code = in_process(house, [*words], monkeypatch)
        captured = capsys.readouterr()
        assert code == ends_with, captured.err
        return captured.out

    kit("tune", "bowls", "bowl", "--trials", "4", "--folds", "0,1", "--rescore", "0", "--pruner", "none")
    shown = kit("blend", "bowls", "--only", "bowl", "--tuned", "1", ends_with=1)
    assert " has 2 of 3 folds and takes no part; make cv comp=bowls tuned=1 fits the rest" in shown
    shown = kit("cv", "bowls", "--only", "bowl", "--tuned", "1", "--on", "processes:2")  # by name in other processes
    assert "was chosen by its score on these rows: the nested score is optimistic" in shown and "bowl@" in shown
    shown = kit("show", "bowls")
    assert "bowl@" in shown and "was chosen by its score" in shown
    assert "0.40000" in kit("lb", "bowls", "--add", "0.4")
    assert in_process(house, ["blend", "bowls", "--only", "noise", "--tuned", "1"], monkeypatch) == 2
    assert "kit: tuned=1: no trial of noise was tuned in runs/bowls; make tune" in capsys.readouterr().err

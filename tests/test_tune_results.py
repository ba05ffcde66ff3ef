"""What comes of a search: the preset, pictures, and members for a blend."""

from pathlib import Path

import numpy as np
import pytest
from tuning_house import Bench, bench, bowl, careless, fits, searched, study_of  # noqa: F401

from kit.blending import blend
from kit.run import Run
from kit.spec import KitError
from kit.tune import Tuning, tune, tuned_members, with_trials
from kit.tune.preset import tuned_settings


def test_the_winner_is_a_preset_and_pictures_are_drawn(bench: Bench, tmp_path: Path) -> None:
    run, brief = bench.run(tmp_path, "bowl.a=-0.5"), bench.brief(tmp_path, "bowl.a=-0.5", "noise.a=3")
    tuned = tune(run, Tuning(member="bowl", trials=12, rescore=0), brief)
    assert tuned.best is not None and tuned.settings == ["bowl.a=-0.5", *tuned.best["settings"]]
    assert tuned_settings(run.root, run.recipe) == tuned.settings
    again = Run(bench.cls().override(*tuned.settings), run.table, run.root)
    assert again.shelf("bowl").folder.name == tuned.best["shelf"]
    tune(run, Tuning(member="noise", trials=1, rescore=0))
    assert tuned_settings(run.root, run.recipe) == [*tuned.settings]  # beside it, for the noise found nothing better
    for name in ("history.png", "importance.png"):
        assert (tuned.folder / name).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(KitError, match=r"tuned\.json is not there; make tune comp=other member=… writes it$"):
        tuned_settings(tmp_path / "other-20-rows", run.recipe)
    (tmp_path / "run-20-rows").mkdir()
    with pytest.raises(KitError, match="; there is .*run/tuned.json, which was tuned on other rows: copy it there"):
        tuned_settings(tmp_path / "run-20-rows", run.recipe)


def test_importances_name_the_knob_that_matters(bench: Bench, tmp_path: Path) -> None:
    from kit.tune.plots import importances

    searched(bench, tmp_path, trials=20, pruner="none")
    shares = importances(study_of(tmp_path, "bowl"))
    assert list(shares)[-1] == "bowl.kind" and sum(shares.values()) == pytest.approx(1)


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

"""What comes of a search: the preset and pictures."""

from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.core.files import write_json
from kit.run.run import Run
from kit.tune import Tuning, tune
from kit.tune.preset import tuned_settings
from tests.helpers.tuning import Bench, bench, careless, fits, searched, study_of  # noqa: F401


def test_the_winner_is_a_preset_and_pictures_are_drawn(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path, "bowl.a=-0.5", "noise.a=3")
    tuned = tune(run, Tuning(member="bowl", trials=12, rescore=0))
    assert tuned.best is not None and tuned.settings == ["bowl.a=-0.5", *tuned.best["settings"]]
    assert tuned_settings(run.root, run.recipe) == tuned.settings
    again = Run(bench.cls().override(*tuned.settings), run.table, run.root)
    assert again.store("bowl").folder.name == tuned.best["store"]
    tune(run, Tuning(member="noise", trials=1, rescore=0))
    assert tuned_settings(run.root, run.recipe) == [
        *tuned.settings,
        "noise.a=3",
    ]  # beside it; the noise found nothing better than its own
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


def test_a_poorer_search_does_not_drive_out_a_preset(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    good = searched(bench, tmp_path, trials=8)
    assert good.best is not None and good.settings and good.preset == good.settings
    poor = searched(bench, tmp_path, trials=1, folds=(0,))
    assert poor.settings == [] and poor.preset == good.settings == tuned_settings(run.root, run.recipe)
    (note,) = poor.notes[-1:]
    assert "tuned.json keeps what an earlier search found for bowl: bowl.a=" in note
    assert note.endswith(f"(trial {good.best['number']}, rmse {good.best['score']:.5f} on folds 0,1,2)")
    # from other settings, on the same folds: the better one stays, whatever came last
    worse = searched(bench, tmp_path, "bowl.a=1", trials=1)
    assert worse.preset == good.settings and "keeps" in worse.notes[-1]
    best = searched(bench, tmp_path, "bowl.a=0.3", "bowl.b=0.1", "bowl.kind=y", trials=1)
    assert best.preset == best.settings and "has this in place of what an earlier search found" in best.notes[-1]


def test_a_preset_is_read_past_members_that_are_gone(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    path = run.root / "tuned.json"
    write_json(path, {"gone": {"settings": ["gone.lr=1"]}, "bowl": {"settings": ["bowl.a=0.5"]}})
    assert tuned_settings(run.root, run.recipe) == ["bowl.a=0.5"]
    write_json(path, {"bowl": {"settings": ["bowl.c=0.5"]}})
    with pytest.raises(KitError) as error:
        tuned_settings(run.root, run.recipe)
    said = f"{path}: bowl: unknown setting 'bowl.c'"
    assert str(error.value).startswith(said) and str(error.value).endswith(
        "; tune it again, or take it out of the file"
    )

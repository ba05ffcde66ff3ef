"""What a blend leaves in the run folder: whole or as it was, one process at a time, refused early where it must be."""

import importlib
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import KitError
from kit.core.files import lock, read_json, write_json
from kit.folds import TimeSeries
from kit.run import blend as blending
from kit.run.blend import blend, enough_folds, last_blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from tests.helpers.house import RECIPE, House, write_csvs

NAMES = ["boost", "memory"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Any]:
    """Opens conftest's recipe with settings, all folds fitted."""
    (tmp_path / "seams_recipe.py").write_text(RECIPE)
    write_csvs(tmp_path / "data")
    sys.path.insert(0, str(tmp_path))
    cls = importlib.import_module("seams_recipe").Small

    def opened(*settings: str, fit: bool = True, **fields: Any) -> Run:
        recipe = cls(**fields).override(*settings)
        run = Run(recipe, recipe.load(tmp_path / "data"), tmp_path / "run")
        if fit:
            fit_jobs(jobs_of(run, NAMES))
        return run

    yield opened
    sys.path.remove(str(tmp_path))
    sys.modules.pop("seams_recipe")


def files(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run.root / "blend").iterdir()}


def test_a_blend_that_fails_leaves_the_last_one_whole(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small()
    assert blend(run, NAMES) is not None
    before = files(run)
    with pytest.raises(KitError, match="there is no column 'nope'"):
        blend(small("blend=Stack(columns=('nope',))"), NAMES)

    def stopped(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(blending, "nested", stopped)
        with pytest.raises(KeyboardInterrupt):
            blend(small("blend=Power"), NAMES)
    assert files(run) == before and last_blend(run) is not None


def test_an_edited_submission_is_not_the_blends(small: Any) -> None:
    run = small()
    report = blend(run, NAMES)
    assert report is not None and last_blend(run) == report
    path = run.root / "submission.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"0.", b"1.", 1))
    assert last_blend(run) is None
    assert blend(run, NAMES) == report and path.read_bytes() == whole


def hold(path: Path, ready: Any, done: Any) -> None:
    with lock(path) as held:
        assert held
        ready.set()
        done.wait(20)


def test_two_processes_do_not_mix_their_files(small: Any) -> None:
    run, context = small(), multiprocessing.get_context("fork")
    ready, done, finished = context.Event(), context.Event(), context.Event()
    other = context.Process(target=hold, args=(run.root / "blend.lock", ready, done))
    other.start()
    assert ready.wait(20)

    def second() -> None:
        blend(run, NAMES)
        finished.set()

    waiting = context.Process(target=second)
    waiting.start()
    assert not finished.wait(1.5) and not (run.root / "blend").exists()  # computed, not written
    done.set()
    assert finished.wait(20)
    for process in (other, waiting):
        process.join()
    assert last_blend(run) is not None


def test_too_few_folds_are_refused_before_the_fits(small: Any) -> None:
    run = small("folds.n=2", "blend=Calibrated", fit=False)
    with pytest.raises(KitError) as error:
        enough_folds(run)
    assert str(error.value) == (
        "blend=Calibrated learns from out-of-fold predictions: with the fold that scores it, it needs "
        "3 folds, and the plan has 2"
    )
    enough_folds(small("folds.n=2", "blend=Greedy", fit=False))
    enough_folds(small("folds.n=3", "blend=Calibrated", fit=False))
    fit_jobs(jobs_of(run, NAMES))
    with pytest.raises(KitError, match="it needs 3 folds"):
        blend(run, NAMES)


def test_a_run_with_folds_in_time_says_how_they_were_joined(small: Any) -> None:
    run = small(folds=TimeSeries(n=3, time="x"))
    report = blend(run, NAMES)
    assert report is not None and report.summary is not None
    assert "earlier folds only" in report.summary["note"]
    assert report.summary["weights"]["0"] == dict.fromkeys(NAMES, 0.5)


def test_cv_refuses_it_before_the_work(house: House) -> None:
    done = house.kit("cv", "small", "--set", "blend=MultiLayerStack(last=Calibrated(blend=Calibrated)) folds.n=3")
    assert done.returncode == 2 and "it needs 4 folds, and the plan has 3" in done.stderr
    assert not (house.folder / "runs").exists() and house.fits() == []


def test_a_blend_of_an_earlier_version_is_made_again(small: Any) -> None:
    run = small()
    report = blend(run, NAMES)
    assert report is not None
    folder = run.root / "blend"
    whole, weights = read_json(folder / "report.json"), read_json(folder / "weights.json")
    write_json(
        folder / "report.json", whole | {"key": "0" * len(whole["key"])}
    )  # of other settings, or another VERSION
    write_json(folder / "weights.json", weights | {"kind": "Weighted"})
    assert last_blend(run) is None
    again = blend(run, NAMES)
    assert again is not None and again.weights == report.weights
    assert read_json(folder / "weights.json") == weights and read_json(folder / "report.json") == whole
    for old in ({"weights": [["boost", 1.0]]}, {"key": whole["key"], "weights": {"boost": 1.0}}, []):  # other forms
        write_json(folder / "report.json", old)
        assert last_blend(run) is None and blend(run, NAMES) is not None

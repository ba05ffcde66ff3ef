"""A run's blend: intervals and Auto's reasons reach the files and the table, and the files reach a kernel."""

import importlib
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kit.ensemble import FittedBlend
from kit.report import leaderboard
from kit.run.blend import BlendReport, blend, last_blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from tests.helpers.house import RECIPE, ROOT, write_csvs

NAMES = ["boost", "memory"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Opens conftest's recipe with settings, all folds fitted."""
    folder = tmp_path_factory.mktemp("blending")
    (folder / "blending_recipe.py").write_text(RECIPE)
    write_csvs(folder / "data")
    sys.path.insert(0, str(folder))
    cls = importlib.import_module("blending_recipe").Small

    def opened(*settings: str) -> Run:
        recipe = cls().override(*settings)
        run = Run(recipe, recipe.load(folder / "data"), folder / "run")
        fit_jobs(jobs_of(run, NAMES))
        return run

    yield opened
    sys.path.remove(str(folder))


def shown(run: Run, report: BlendReport | None) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(leaderboard(run, NAMES, report))
    return console.export_text()


def test_the_blend_is_shown_with_its_intervals(small: Any) -> None:
    run = small()
    report = blend(run, NAMES)
    assert report is not None and report.summary is not None and report.explanation == {}
    written = json.loads((run.root / "blend" / "report.json").read_text())["summary"]
    low, high = written["interval"]
    least, most = written["gain_interval"]
    assert low < written["nested"] < high and least <= written["gain"] <= most
    text = shown(run, report)
    assert f"gain {written['gain']:+.5f} [{least:+.5f}, {most:+.5f}]" in text
    assert f"{written['nested']:.5f} [{low:.5f}, {high:.5f}] (weights learnt without the fold that is scored)" in text


def test_auto_says_what_it_took_and_why(small: Any) -> None:
    run = small("blend=Auto(choices=(Mean(), RankMean(), Greedy(rounds=3), PerColumn()))")
    report = blend(run, NAMES)
    assert report is not None and report.summary is not None
    facts = json.loads((run.root / "blend" / "report.json").read_text())
    assert (
        facts["choice"] in ("Mean", "RankMean", "Greedy(rounds=3)") and facts["reason"] == report.explanation["reason"]
    )
    assert [row["blend"] for row in facts["choices"]] == ["Mean", "RankMean", "Greedy(rounds=3)", "PerColumn"]
    assert set(facts["summary"]["chosen"]) == {str(fold) for fold in run.folds}
    text = shown(run, report)
    assert report.explanation["reason"] in text and f"{facts['choice']} ←" in text
    assert "PerColumn: there is only one column; Greedy does the same" in text
    assert last_blend(run) == report  # read, not made again
    assert shown(run, last_blend(run)) == text


SETTINGS = ("Auto", "Simplex", "Power(exponent=2)", 'Stack(columns=("x",))', "PerColumn(blend=Simplex)",
            "PriorShift(blend=Calibrated,test_share=(0.2,))")  # fmt: skip


def test_a_kernel_joins_what_the_files_say(small: Any) -> None:
    for i, setting in enumerate(SETTINGS):
        run = small(f"blend={setting}")
        report = blend(run, NAMES)
        assert report is not None
        kept = run.root / f"kept{i}"
        (run.root / "blend").rename(kept)
        assert FittedBlend.load(kept / "weights.json").weights == report.weights
    tests = np.stack([np.mean([fold.test for fold in run.gathered(name).values()], axis=0) for name in NAMES])
    np.save(run.root / "tests.npy", tests)
    run.table.test[["x"]].to_pickle(run.root / "test.pickle")
    # in a bare process: what loads and applies a blend imports nothing heavy
    code = f"""
        import sys
        from pathlib import Path
        import numpy as np, pandas as pd
        from kit.ensemble import FittedBlend
        root = Path({str(run.root)!r})
        tests, frame = np.load(root / "tests.npy"), pd.read_pickle(root / "test.pickle")
        for i in range({len(SETTINGS)}):
            joined = FittedBlend.load(root / f"kept{{i}}" / "weights.json").for_test().predict(tests, frame)
            assert (joined == np.load(root / f"kept{{i}}" / "test.npy")).all(), i
        heavy = {{"torch", "numba", "lightgbm", "optuna", "matplotlib", "sklearn", "ray"}} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=ROOT)

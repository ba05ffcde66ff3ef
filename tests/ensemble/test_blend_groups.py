"""Rows of a group err alike: intervals of a blend draw whole groups, wherever it draws."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.ensemble import Auto, Blend, FittedAuto, Greedy, Mean, Simplex, diversity, fit_thresholded, left_out, nested
from kit.ensemble.crossfit import plan_or_random
from kit.ensemble.oof import OutOfFold
from kit.metrics import f1, rmse
from kit.metrics.intervals import bootstrap, paired
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from tests.helpers.house import RECIPE, write_csvs

GROUPS = np.repeat(np.arange(40), 10)


def grouped(seed: int, members: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions whose error is mostly the group's, and folds of whole groups."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(len(GROUPS), 1))
    error = rng.normal(size=40)[GROUPS][:, None]
    return y, np.stack([y + error + rng.normal(0, 0.5, y.shape) for _ in range(members)]), GROUPS % 5


def test_the_interval_covers_as_often_as_it_says() -> None:
    truth = np.sqrt(1 + 0.25)  # of one member: the mean of one is itself
    hits = np.zeros(2)
    for seed in range(60):
        y, p, plan = grouped(seed, members=1)
        for i, groups in enumerate((GROUPS, None)):
            found = nested(Mean(), OutOfFold(p, y, rmse, plan=plan, groups=groups), rounds=200)
            assert found is not None and found.interval is not None
            hits[i] += found.interval.low <= truth <= found.interval.high
    assert hits[0] >= 0.85 * 60 and hits[1] <= 0.6 * 60


def test_score_gain_and_what_members_add_are_drawn_by_group() -> None:
    y, p, plan = grouped(0)
    found = nested(Greedy(), OutOfFold(p, y, rmse, plan=plan, groups=GROUPS))
    assert found is not None
    assert found.interval == bootstrap(rmse, y, found.predictions, groups=GROUPS)
    best = p[int(found.best)]
    assert found.gain_interval == paired(rmse, y, found.predictions, best, groups=GROUPS)
    assert found.gain_interval != paired(rmse, y, found.predictions, best)
    alone = nested(Greedy(), OutOfFold(p[1:], y, rmse, plan=plan))
    assert alone is not None
    wanted = paired(rmse, y, found.predictions, alone.predictions, groups=GROUPS)
    assert diversity(Greedy(), OutOfFold(p, y, rmse, plan=plan, groups=GROUPS)).adds["0"] == wanted
    assert dict(left_out(Greedy(), OutOfFold(p, y, rmse, ["0", "1"], plan, groups=GROUPS), members=["0"])) == {
        "0": wanted
    }
    with pytest.raises(KitError, match="blend: 400 rows of predictions, but 3 groups; give one for each row"):
        nested(Mean(), OutOfFold(p, y, rmse, plan=plan, groups=np.arange(3)))


def test_auto_scores_its_choices_by_groups_and_splits_none() -> None:
    y, p, plan = grouped(3)
    p[1] += 0.4 * np.random.default_rng(0).normal(size=40)[GROUPS][:, None]
    choices: tuple[Blend, ...] = (Mean(), Simplex())
    oof = [nested(choice, OutOfFold(p, y, rmse, plan=plan), rounds=0) for choice in choices]
    assert oof[0] and oof[1]
    found = Auto(choices=choices, within=0).fit(p, y, rmse, plan=plan, groups=GROUPS)
    assert isinstance(found, FittedAuto)
    for trial, one in zip(found.tried, oof, strict=True):
        other = oof[[t.blend for t in found.tried].index(found.choice)]
        assert other and trial.difference == paired(rmse, y, one.predictions, other.predictions, 300, groups=GROUPS)  # type: ignore[union-attr]
    judged = OutOfFold(p, y, rmse, ("a", "b"), groups=GROUPS)
    drawn = plan_or_random(judged)
    assert len(np.unique(drawn)) == 5 and all(len(set(drawn[g == GROUPS])) == 1 for g in range(40))
    half = judged.rows(plan < 2)
    assert half.groups is not None and set(half.groups) == set(GROUPS[plan < 2])


def test_thresholded_metrics_pass_groups_on_to_auto() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((400, 1)) < 0.4).astype(float)
    p = np.stack([(y + rng.normal(0, s, y.shape) + rng.normal(0, s, 40)[GROUPS][:, None]) for s in (0.5, 0.9)])
    spreads = []
    for groups in (None, GROUPS):
        found = fit_thresholded(Auto(choices=(Mean(), Simplex())), OutOfFold(p, y, f1, plan=GROUPS % 5, groups=groups))
        assert isinstance(found, FittedAuto)
        spreads.append([(t.difference.low, t.difference.high) for t in found.tried if t.difference])
    assert spreads[0] != spreads[1]


class Clustered(Run):
    """A run whose rows come in groups of four."""

    def clusters_of(self, rows: np.ndarray) -> np.ndarray:
        return (np.arange(len(self.plan)) // 4)[rows]


def test_a_run_hands_its_groups_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grouped_recipe.py").write_text(RECIPE)
    write_csvs(tmp_path / "data")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    recipe = importlib.import_module("grouped_recipe").Small()
    names, summaries = ["boost", "memory"], []
    for i, kind in enumerate((Clustered, Run)):
        run: Any = kind(recipe, recipe.load(tmp_path / "data"), tmp_path / str(i))
        fit_jobs(jobs_of(run, names))
        if kind is Run:
            monkeypatch.setattr(Run, "clusters_of", lambda run, rows: None, raising=False)
        report = blend(run, names)
        assert report is not None and report.summary is not None
        summaries.append(report.summary)
    assert summaries[0]["nested"] == summaries[1]["nested"]
    assert summaries[0]["interval"] != summaries[1]["interval"]

"""Tuning finds what is planted, judges as the leaderboard does, and goes on where it was stopped."""

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kit.run.jobs import jobs_of, unfinished
from kit.run.oof import out_of_fold
from kit.run.run import Run
from kit.tune.study import Search
from tests.helpers.tuning import Bench, bench, bowl, careless, fits, same, searched  # noqa: F401

# ---- finding -----------------------------------------------------------------------------------


def test_a_planted_optimum_is_found_better_than_at_random(bench: Bench, tmp_path: Path) -> None:
    n, rng = 28, np.random.default_rng(0)
    found = [searched(bench, tmp_path / str(s), f"bowl.seed={s}", trials=n, folds=(0,)).best for s in range(4)]
    best = np.mean([b["score"] for b in found if b is not None])
    # the same number of points, the recipe's own among them, drawn evenly from the same space
    drawn = bowl(
        rng.uniform(-1, 1, (2000, n - 1)), rng.uniform(-4, 0, (2000, n - 1)), rng.integers(0, 2, (2000, n - 1))
    )
    assert best < 0.5 * np.minimum(drawn.min(axis=1), bowl(0, -3, 1)).mean()


def test_the_recipes_own_settings_come_first_and_are_its_member(bench: Bench, tmp_path: Path) -> None:
    tuned = searched(bench, tmp_path, trials=3)
    first, run = tuned.trials[0], bench.run(tmp_path)
    assert first["own"] and first["settings"] == [] and tuned.own == first
    assert first["store"] == run.store("bowl").folder.name and not unfinished(jobs_of(run, ["bowl"]))
    assert first["score"] == pytest.approx(bowl(0, -3, 1), abs=1e-6)
    for trial in tuned.trials[1:]:  # a trial is override strings, and its folds lie where they belong
        other = Run(run.recipe.override(*trial["settings"]), run.table, run.root)
        assert other.store("bowl").folder.name == trial["store"]
        if trial["state"] == "complete":
            p = out_of_fold(other, other.gathered("bowl"))
            assert trial["score"] == run.table.task.metric(run.table.y, p)


def test_a_score_is_pooled_over_the_chosen_folds(bench: Bench, tmp_path: Path) -> None:
    tuned = searched(bench, tmp_path, member="uneven", trials=1, folds=(2, 0))
    run = bench.run(tmp_path)
    assert tuned.folds == (0, 2) and list(run.gathered("uneven")) == [0, 2]
    off = np.where(run.plan == run.plan[0], 0.005, 1.5)[np.isin(run.plan, [0, 2])]
    assert tuned.trials[0]["score"] == pytest.approx(np.sqrt((off**2).mean()), abs=1e-6)
    each = tuned.trials[0]["folds"]
    assert sorted(each) == ["0", "2"] and tuned.trials[0]["score"] != pytest.approx(np.mean(list(each.values())))


def test_a_metric_of_decisions_is_taken_as_the_leaderboard_takes_it() -> None:
    from kit.ensemble.decide.threshold import out_of_fold_thresholds, score_at_folds
    from kit.metrics import f1
    from kit.run.bank import Fold
    from kit.tune.scores import scores

    rng = np.random.default_rng(0)
    plan, y = np.arange(90) % 3, rng.integers(0, 2, (90, 1)).astype(float)
    p = np.clip(0.2 * y + 0.1 * rng.random((90, 1)) + 0.1 * rng.normal(size=(90, 1)), 0, 1).astype(np.float32)
    folds = {fold: Fold(p[plan == fold], np.empty((0, 1)), {}) for fold in range(3)}
    table = SimpleNamespace(y=y, task=SimpleNamespace(metric=f1, outputs=1))
    run: Any = SimpleNamespace(
        plan=plan, table=table, metric_of=lambda rows: f1,
        gathered=lambda name, some: {fold: folds[fold] for fold in some},
    )  # fmt: skip
    each, pooled = scores(run, "it", [0, 1, 2])
    cuts = out_of_fold_thresholds(f1, y, p, plan)
    assert pooled == score_at_folds(f1, y, p, plan, cuts) > f1(y, p)  # at 0.5 it says no to nearly all
    assert each == {fold: f1.at(cuts[fold][0])(y[plan == fold], p[plan == fold]) for fold in range(3)}
    some = np.isin(plan, [0, 2])  # of some folds, those alone are known
    assert scores(run, "it", [0, 2])[1] == score_at_folds(f1, y[some], p[some], plan[some], out_of_fold_thresholds(f1, y[some], p[some], plan[some]))  # fmt: skip


# ---- going on ----------------------------------------------------------------------------------


def test_a_search_that_was_interrupted_has_the_trials_of_one_that_was_not(
    bench: Bench, tmp_path: Path, fits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(bench, tmp_path / "whole", trials=13)
    counted = len(fits.read_text().splitlines())
    fits.write_text("")
    for moment in (14, counted):  # in the middle of a trial, once drawn at random and once by TPE
        monkeypatch.setenv("STOP_AT", str(moment))
        with pytest.raises(KeyboardInterrupt):
            searched(bench, tmp_path / "parts", trials=13)
    monkeypatch.delenv("STOP_AT")
    parts = searched(bench, tmp_path / "parts", trials=13)
    assert same(parts.trials) == same(whole.trials) and parts.settings == whole.settings
    assert len(fits.read_text().splitlines()) == counted + 2  # no finished fold was fitted again
    fits.write_text("")
    assert same(searched(bench, tmp_path / "parts", trials=13).trials) == same(whole.trials)
    assert fits.read_text() == ""
    assert len(searched(bench, tmp_path / "parts", trials=14).trials) == 14


def test_other_settings_are_another_search_in_the_same_file(bench: Bench, tmp_path: Path) -> None:
    searched(bench, tmp_path, trials=3)
    assert len(searched(bench, tmp_path, "bowl.a=0.5", trials=2).trials) == 2
    assert len(searched(bench, tmp_path, trials=2, folds=(0,)).trials) == 2
    assert len(searched(bench, tmp_path, trials=3).trials) == 3
    assert [p.name for p in (tmp_path / "run/tune").glob("*.db")] == ["bowl.db"]


def test_hours_end_a_search_between_folds_and_it_goes_on_later(
    bench: Bench, tmp_path: Path, fits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(bench, tmp_path / "whole", trials=4)
    before = len(fits.read_text().splitlines())
    looks = itertools.count()
    with monkeypatch.context() as patched:  # asked before each trial and before each fold: up in the second trial
        patched.setattr(Search, "over", property(lambda search: next(looks) >= 7))
        first = searched(bench, tmp_path / "parts", trials=4)
    assert len(first.trials) == 1 and len(fits.read_text().splitlines()) == before + 5
    assert same(searched(bench, tmp_path / "parts", trials=4, hours=1.0).trials) == same(whole.trials)
    assert len(fits.read_text().splitlines()) == 2 * before


def test_hours_are_hours(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Search] = []
    now = [1000.0]
    for module in ("search", "study"):
        monkeypatch.setattr(f"kit.tune.{module}.time", SimpleNamespace(time=lambda: now[0], sleep=lambda seconds: None))
    monkeypatch.setattr("kit.tune.search.work", lambda search, *given: seen.append(search))
    searched(bench, tmp_path, hours=2)
    assert seen[0].until == 1000 + 7200 and not seen[0].over
    now[0] += 7200
    assert seen[0].over and not replace(seen[0], until=None).over

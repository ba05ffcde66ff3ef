"""Tuning finds what is planted, goes on where it was stopped, gives up what is hopeless, and says how optimistic it is."""

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuning_house import Bench

from kit.blending import blend, out_of_fold
from kit.cv import todo
from kit.files import read_json
from kit.run import Run
from kit.spec import KitError
from kit.tune import Tuned, Tuning, tune, tuned_members, with_trials
from kit.tune.facts import line_of
from kit.tune.preset import tuned_settings
from kit.tune.study import Search, opened_storage, quiet
from kit.tune.summary import summary


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bench"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FITS", str(tmp_path / "fits.txt"))
    (tmp_path / "fits.txt").touch()
    return tmp_path / "fits.txt"


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leaves out what costs time and is not looked at: pictures, and waiting for the disk."""
    from sqlalchemy import Engine, event

    def careless(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", careless)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    if "pictures" not in request.node.name:
        monkeypatch.setattr("kit.tune.search.draw", lambda *told: [])
        monkeypatch.setattr("kit.tune.search.importances", lambda *told: {})
    yield
    event.remove(Engine, "connect", careless)


def searched(bench: Bench, root: Path, *settings: str, **told: Any) -> Tuned:
    root.mkdir(exist_ok=True)
    return tune(bench.run(root, *settings), Tuning(**{"member": "bowl", "rescore": 0} | told))


def study_of(root: Path, member: str) -> Any:
    """The only study in a member's file."""
    import optuna

    with quiet():
        storage = opened_storage(f"sqlite:///{root}/run/tune/{member}.db")
        (name,) = optuna.study.get_all_study_names(storage)
        return optuna.load_study(study_name=name, storage=storage)


def bowl(a: np.ndarray, log_b: np.ndarray, kind: np.ndarray) -> np.ndarray:
    return (a - 0.3) ** 2 + (log_b + 1) ** 2 / 4 + 0.05 * kind


def same(trials: list[dict[str, Any]]) -> list[Any]:
    return [(t["number"], t["state"], t["score"], t["settings"], t["shelf"]) for t in trials]


# ---- finding -----------------------------------------------------------------------------------


def test_a_planted_optimum_is_found_better_than_by_chance(bench: Bench, tmp_path: Path) -> None:
    n, rng = 28, np.random.default_rng(0)
    found = [searched(bench, tmp_path / str(s), f"bowl.seed={s}", trials=n, folds=(0,)).best for s in range(2)]
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
    assert first["shelf"] == run.shelf("bowl").folder.name and todo(run, ["bowl"], run.folds).kept == 3
    assert first["score"] == pytest.approx(bowl(0, -3, 1), abs=1e-6)
    for trial in tuned.trials[1:]:  # a trial is override strings, and its folds lie where they belong
        other = Run(run.recipe.override(*trial["settings"]), run.table, run.root)
        assert other.shelf("bowl").folder.name == trial["shelf"]
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
    monkeypatch.setattr("kit.tune.search.work", lambda search, *told: seen.append(search))
    searched(bench, tmp_path, hours=2)
    assert seen[0].until == pytest.approx(time.time() + 7200, abs=60) and not seen[0].over
    assert replace(seen[0], until=time.time() - 1).over and not replace(seen[0], until=None).over


# ---- giving up ---------------------------------------------------------------------------------


def test_pruning_saves_folds_and_finds_the_same_place(bench: Bench, tmp_path: Path, fits: Path) -> None:
    pruned = searched(bench, tmp_path / "pruned", trials=20)
    spent = len(fits.read_text().splitlines())
    states = [t["state"] for t in pruned.trials]
    assert states[:5] == ["complete"] * 5 and states.count("pruned") > 2
    assert spent == sum(t["fitted"] for t in pruned.trials) < 3 * 20
    assert all(t["fitted"] < 3 and t["score"] is None for t in pruned.trials if t["state"] == "pruned")
    fits.write_text("")
    plain = searched(bench, tmp_path / "plain", trials=20, pruner="none")
    assert len(fits.read_text().splitlines()) == 60 and {t["state"] for t in plain.trials} == {"complete"}


def test_an_easy_first_fold_does_not_save_a_hopeless_trial(bench: Bench, tmp_path: Path) -> None:
    """Optuna's own rule takes a trial's best value so far, which here is always that of the easy fold."""
    import optuna

    from kit.tune.sampler import AtStep

    trials = [
        optuna.trial.create_trial(value=v, intermediate_values={0: 0.01, 1: v}, state=optuna.trial.TrialState.COMPLETE)
        for v in (1.0, 1.1, 1.2, 1.3, 1.4)
    ]
    study = optuna.create_study()
    study.add_trials(trials)
    hopeless = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values={0: 0.01, 1: 9.0})
    rule = optuna.pruners.MedianPruner()
    assert not rule.prune(study, hopeless) and AtStep(rule).prune(study, hopeless)
    good = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values={0: 0.01, 1: 1.0})
    assert not AtStep(rule).prune(study, good)


def test_wilcoxons_test_needs_folds_and_then_prunes(bench: Bench, tmp_path: Path, fits: Path) -> None:
    tuned = searched(bench, tmp_path, "folds.n=6", trials=12, pruner="wilcoxon")
    pruned = [t["fitted"] for t in tuned.trials if t["state"] == "pruned"]
    assert pruned and min(pruned) >= 3 and max(pruned) < 6  # of two folds the least p is 1/4, of three 1/8


def test_epochs_of_a_network_that_judges_them_end_a_hopeless_fold(bench: Bench, tmp_path: Path) -> None:
    tuned = searched(bench, tmp_path, member="net", trials=9, folds=(0, 1))
    pruned = [t for t in tuned.trials if t["state"] == "pruned"]
    early = [t for t in pruned if t["fitted"] == 0]
    steps = {t.number: t.last_step for t in study_of(tmp_path, "net").trials}
    assert early and all("pruned in its first fold" in line_of(t, tuned.best, "rmse", "net") for t in early)
    for trial in early:
        part = tmp_path / "run" / trial["shelf"] / "fold0.part"
        assert 1 <= steps[trial["number"]] < 8  # epochs of the first fold that were judged, of 8
        assert not list(part.rglob("last.pt")) and not (part / "error.txt").exists()
    # what judges no epochs is pruned by folds alone
    plain = searched(bench, tmp_path / "plain", "net.stop=none", member="net", trials=7, folds=(0, 1))
    assert all(t["fitted"] == 1 for t in plain.trials if t["state"] == "pruned")


def test_a_halted_training_leaves_nothing_that_looks_failed(bench: Bench, tmp_path: Path) -> None:
    from kit.train.watch import Halt, listening

    heard: list[int] = []

    def stop(epoch: int, score: float) -> None:
        heard.append(epoch)
        if epoch == 3:
            raise Halt

    run = bench.run(tmp_path)
    with pytest.raises(Halt), listening(stop):
        run.fit("net", 0)
    assert heard == [1, 2, 3] and run.shelf("net").state(0) == "part"
    assert run.fit("net", 0) == "done" and heard == [1, 2, 3]
    whole = bench.run(tmp_path / "whole")
    whole.fit("net", 0)
    np.testing.assert_array_equal(run.gathered("net")[0].valid, whole.gathered("net")[0].valid)


def test_a_trial_that_cannot_be_fitted_is_refused_and_the_others_go_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kit.tune import choice

    monkeypatch.setattr(bench.cls, "tune", {"bowl.kind": choice("x", "y", "z")})
    tuned = searched(bench, tmp_path, trials=10)
    ill = [t for t in tuned.trials if t["state"] == "refused"]
    assert ill and all(t["settings"] == ["bowl.kind=z"] for t in ill) and len(tuned.trials) == 10
    said = line_of(ill[0], tuned.best, "rmse", "bowl")
    assert "refused: fold 0 failed: RuntimeError: z is ill (all of it in " in said and said.endswith("· kind=z")
    with pytest.raises(
        KitError, match="^no trial of bowl could be judged; trial 0: fold 0 failed: RuntimeError: z is ill"
    ):
        searched(bench, tmp_path, "bowl.kind=z", trials=1)


# ---- what comes of it --------------------------------------------------------------------------


def test_the_winner_is_a_preset_and_pictures_are_drawn(bench: Bench, tmp_path: Path) -> None:
    run, brief = bench.run(tmp_path, "bowl.a=-0.5"), bench.brief(tmp_path, "bowl.a=-0.5", "noise.a=3")
    tuned = tune(run, Tuning(member="bowl", trials=12, rescore=0), brief)
    assert tuned.best is not None and tuned.settings == ["bowl.a=-0.5", *tuned.best["settings"]]
    assert tuned_settings(run.root) == tuned.settings
    again = Run(bench.cls().override(*tuned.settings), run.table, run.root)
    assert again.shelf("bowl").folder.name == tuned.best["shelf"]
    tune(run, Tuning(member="noise", trials=1, rescore=0))
    assert tuned_settings(run.root) == [*tuned.settings]  # beside it, for the noise found nothing better
    for name in ("history.png", "importance.png"):
        assert (tuned.folder / name).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(KitError, match=r"tuned\.json is not there; make tune comp=other member=… writes it$"):
        tuned_settings(tmp_path / "other-20-rows")
    (tmp_path / "run-20-rows").mkdir()
    with pytest.raises(KitError, match="; there is .*run/tuned.json, which was tuned on other rows: copy it there"):
        tuned_settings(tmp_path / "run-20-rows")


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


def test_the_optimism_of_a_search_among_equals_is_shown(bench: Bench, tmp_path: Path) -> None:
    """Settings that change chance alone: the best of them is best by luck, which does not come again."""
    tuned = searched(bench, tmp_path, member="noise", trials=20, pruner="none", rescore=2)
    assert tuned.best is not None and tuned.rescored is not None and tuned.gain > 0
    again = tuned.rescored
    assert min(again.winner) > tuned.best["score"]  # an error: more of it on other folds and seeds
    assert tuned.gain - again.gain.value > 0.05 and again.gain.low < 0 < again.gain.high
    assert again.gain.value == pytest.approx(np.mean(again.own) - np.mean(again.winner))
    text = "\n".join(summary(tuned))
    assert f"the gain was overstated by {tuned.gain - again.gain.value:+.5f}" in text
    assert "that is no sure gain" in text and "scored again on 2 other fold plans and seeds" in text
    kept = read_json(tmp_path / "run/tuned.json")["noise"]["rescored"]
    assert kept["winner"] == list(again.winner) and kept["drawn"] is True


def test_a_true_gain_is_a_sure_one_elsewhere(bench: Bench, tmp_path: Path) -> None:
    tuned = searched(bench, tmp_path, trials=10, rescore=1)
    assert tuned.rescored is not None and tuned.rescored.gain.low > 0
    assert tuned.rescored.gain.value == pytest.approx(tuned.gain, abs=1e-6)
    assert "no sure gain" not in "\n".join(summary(tuned))


def test_folds_that_cannot_be_drawn_anew_are_said_to_be_the_same(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    from kit.folds import Timed

    recipe = type(run.recipe)(folds=Timed(n=2, time="x"))
    timed = Run(recipe, run.table, tmp_path / "timed")
    tuned = tune(timed, Tuning(member="noise", trials=6, rescore=1))
    assert tuned.rescored is not None and not tuned.rescored.drawn
    assert "scored again on 1 other seeds, on the same folds" in "\n".join(summary(tuned))


def test_a_metric_of_decisions_is_taken_as_the_leaderboard_takes_it() -> None:
    from types import SimpleNamespace

    from kit.bank import Fold
    from kit.ensemble.threshold import judge_folds, unseen_thresholds
    from kit.metrics import f1
    from kit.tune.judging import scores

    rng = np.random.default_rng(0)
    plan, y = np.arange(90) % 3, rng.integers(0, 2, (90, 1)).astype(float)
    p = np.clip(0.2 * y + 0.1 * rng.random((90, 1)) + 0.1 * rng.normal(size=(90, 1)), 0, 1).astype(np.float32)
    folds = {fold: Fold(p[plan == fold], np.empty((0, 1)), {}) for fold in range(3)}
    table = SimpleNamespace(y=y, task=SimpleNamespace(metric=f1, outputs=1))
    run: Any = SimpleNamespace(plan=plan, table=table, shelf=lambda name: SimpleNamespace(read=folds.get))
    each, pooled = scores(run, "it", [0, 1, 2])
    cuts = unseen_thresholds(f1, y, p, plan)
    assert pooled == judge_folds(f1, y, p, plan, cuts) > f1(y, p)  # at 0.5 it says no to nearly all
    assert each == {fold: f1.at(cuts[fold][0])(y[plan == fold], p[plan == fold]) for fold in range(3)}
    some = np.isin(plan, [0, 2])  # of some folds, those alone are known
    assert scores(run, "it", [0, 2])[1] == judge_folds(f1, y[some], p[some], plan[some], unseen_thresholds(f1, y[some], p[some], plan[some]))  # fmt: skip

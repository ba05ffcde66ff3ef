"""Ablation: arms and why they are refused, the race, the passes on and off, kill and resume, what it writes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.evidence.ablate import TECHNIQUES, Race, ablate, arms_of, markdown, table
from kit.evidence.ablate.arms import joined
from kit.evidence.ablate.budget import Budget
from kit.members import Boost, Encoder, Linear, Seeds, Views
from kit.metrics import mean_roc_auc, rmse
from kit.recipe import Recipe
from kit.run.events import ignore
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.task import Task
from kit.train import Stage
from tests.helpers.evidence import Evident, Planted, lines, opened_in, run_in

Gains = dict[str, np.ndarray]


def test_arms_are_declared_in_the_recipe_and_none_is_dropped_silently(tmp_path: Path) -> None:
    arms = {arm.name: arm for arm in arms_of(run_in(tmp_path), "m")}
    assert list(arms) == ["sharper", "worse (early)", "worse (late)", "same", "nothing", "wrong", "broken"]
    assert arms["worse (late)"].overrides == ("m.noise=3",)  # the member's name may be left out
    assert arms["nothing"].refused == "it changes nothing: the base already has it"
    assert arms["wrong"].refused.startswith("unknown setting 'm.nose'; did you mean 'm.noise'")
    assert not arms["sharper"].refused
    assert [a.name for a in arms_of(run_in(tmp_path), "m", ["worse", "sharper"])] == [
        "sharper", "worse (early)", "worse (late)"]  # fmt: skip
    with pytest.raises(KitError, match="^no technique of 'm' is called 'sharp'; did you mean 'sharper'"):
        arms_of(run_in(tmp_path), "m", ["sharp"])
    with pytest.raises(KitError, match="^'m' cannot use any of the techniques; 'wrong': unknown setting 'm.nose'"):
        arms_of(run_in(tmp_path), "m", ["wrong"])


def network_run(tmp_path: Path, **fields: object) -> Run:
    class Texts(Recipe):
        task = Task(name="t", kind="multilabel", targets=("a", "b"), text=("x",), metric=mean_roc_auc)
        minilm: Encoder = Encoder(**fields)  # type: ignore[arg-type]
        seen: Views = Views(member=Encoder(stage=Stage(epochs=2)))
        twice: Seeds = Seeds(member=Boost())
        linear: Linear = Linear()

    recipe = Texts()
    holder = type("T", (), {"task": Texts.task, "inputs": ["x"]})()
    return Run(recipe, holder, tmp_path)


def test_every_default_technique_is_a_setting_of_its_member(tmp_path: Path) -> None:
    arms = {arm.name: arm for arm in arms_of(network_run(tmp_path), "minilm")}
    refused = {name: arm.refused for name, arm in arms.items() if arm.refused}
    assert refused == {
        "class smoothing": "CrossEntropy cannot be the loss of a multilabel task; take BCE, Focal or Asymmetric",
        "Huber loss": "Huber cannot be the loss of a multilabel task; take BCE, Focal or Asymmetric",
    }
    assert len(arms) >= 20 and arms["FGM (late)"].overrides == ("minilm.perturb=FGM(start=0.5)",)
    longer = {arm.name: arm for arm in arms_of(network_run(tmp_path, stage={"epochs": 3}), "minilm")}
    assert longer["FGM (late)"].overrides == ("minilm.perturb=FGM(start=1.5)",)
    counted = {arm.name: arm for arm in arms_of(network_run(tmp_path, stage={"steps": 9}), "minilm")}
    assert counted["AWP (late)"].refused == "it is given in epochs, and this member counts steps"
    # of a wrapped network the epochs and losses are those of the inner one
    inside = {arm.name: arm for arm in arms_of(network_run(tmp_path, stage={"epochs": 3}), "seen")}
    assert inside["FGM (late)"].overrides == ("seen.perturb=FGM(start=1)",) and "more epochs" in inside
    assert {name for name, arm in inside.items() if arm.refused} == set(refused)
    # a member made of a member has the techniques of the inner one
    wrapped = {arm.name: arm for arm in arms_of(network_run(tmp_path), "twice")}
    assert set(wrapped) == set(TECHNIQUES["Boost"]) and not any(arm.refused for arm in wrapped.values())
    assert not any(arm.refused for arm in arms_of(network_run(tmp_path), "linear"))


def test_techniques_that_undo_each_other_are_not_joined(tmp_path: Path) -> None:
    run = network_run(tmp_path)
    arms = {arm.name: arm for arm in arms_of(run, "minilm")}
    taken, left = joined(run, "minilm", [arms[n] for n in ("FGM (late)", "EMA", "AWP (early)", "mixout", "SWA")])
    assert [arm.name for arm in taken] == ["FGM (late)", "EMA", "mixout"]
    assert [(arm.name, arm.refused) for arm in left] == [
        ("AWP (early)", "it undoes 'FGM (late)'"), ("SWA", "it undoes 'EMA'")]  # fmt: skip


def generated(rng: np.random.Generator, means: dict[str, float], upto: int) -> Gains:
    """Gains of 5 folds × 2 seeds of which the first blocks are known; folds differ, and fits in them."""
    whole = {n: m + rng.normal(0, 0.6, (5, 1)) + rng.normal(0, 0.8, (5, 2)) for n, m in means.items()}
    for gains in whole.values():
        gains[np.add.outer(np.arange(5), 5 * np.arange(2)) >= upto] = np.nan
    return whole


def test_the_race_drops_a_bad_arm_early_and_never_the_best() -> None:
    race, rng = Race(), np.random.default_rng(0)
    means = {"bad": -6.0, "poor": -3.0, "zero": 0.0, "best": 1.5}
    when: dict[str, list[int]] = {name: [] for name in means}
    for _ in range(300):
        seed, dropped = int(rng.integers(2**31)), set()
        for upto in range(1, 10):
            gains = generated(np.random.default_rng(seed), means, upto)  # the same scores, one block more
            for name in race.losers({n: g for n, g in gains.items() if n not in dropped}, 0.25):
                dropped.add(name)
                when[name].append(upto)
    assert len(when["bad"]) == 300 and np.median(when["bad"]) <= 4 and max(when["bad"]) <= 7
    assert len(when["poor"]) > 250
    assert len(when["zero"]) < 0.05 * 300  # though it is looked at seven times
    assert when["best"] == []


def test_a_race_waits_for_its_blocks() -> None:
    assert Race().losers({"a": np.array([[-1.0], [-1.01], [np.nan]])}, 0.25) == []
    assert Race(least=2).losers({"a": np.array([[-1.0], [-1.01], [np.nan]])}, 0.25) == ["a"]


def test_a_race_drops_no_arm_for_gains_that_are_equal() -> None:
    assert Race().losers({"a": np.array([[-0.01], [-0.01], [-0.01], [np.nan]])}, 0.25) == []


def test_all_looks_together_are_as_sure_as_one() -> None:
    """Gains of nothing, that folds share as cross-validation makes them: one look at 95 % each would drop one in ten."""
    rng, race, dropped = np.random.default_rng(0), Race(), np.zeros(2)
    once = Race(least=9)  # the only look is the last one
    for _ in range(400):
        whole = np.sqrt(0.2) * rng.normal() + np.sqrt(0.8) * rng.normal(size=(5, 2))
        for i, one in enumerate((race, once)):
            for upto in range(3, 10):
                known = np.where(np.add.outer(np.arange(5), 5 * np.arange(2)) < upto, whole, np.nan)
                if one.losers({"a": known}, 0.25):
                    dropped[i] += 1
                    break
    assert 0 < dropped[0] <= 0.05 * 400 and 0 < dropped[1] <= 0.05 * 400 + 2 * np.sqrt(400 * 0.05 * 0.95)


def test_an_ablation_finds_what_was_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    run, said = run_in(tmp_path / "run"), []
    result = ablate(run, "m", on_drop=lambda arm, why: said.append((arm, why)))
    rows = {row.arm.name: row for row in result.rows}
    assert list(rows)[:2] == ["sharper", "same"]  # by gain, the largest first
    assert rows["sharper"].gain is not None and rows["sharper"].gain.low > 0 and rows["sharper"].fits == 10
    assert rows["same"].gain is not None and rows["same"].gain.value == 0
    assert rows["worse (early)"].fits == 3 and rows["worse (early)"].note.startswith("stopped after 3 of 10 fits")
    assert rows["broken"].note == "failed: it does not work here" and rows["broken"].fits == 0
    assert rows["wrong"].note.startswith("unknown setting 'm.nose'")
    assert dict(said)["worse (early)"] == rows["worse (early)"].note and "sharper" not in dict(said)
    fits = lines(tmp_path / "fits")
    assert sum(line.startswith("6.0") for line in fits) == 3 and sum(line.startswith("0.1") for line in fits) == 10
    facts = read_json(result.folder / "table.json")
    assert facts["rows"][0]["name"] == "sharper" and facts["rows_in_folds"] == 400
    page = markdown(result, run, "make ablate comp=evident member=m seeds=2")
    assert page.startswith("# Ablation of `m` on evident\n\n```\nmake ablate comp=evident member=m seeds=2\n```\n")
    assert "| sharper | `m.noise=0.1` | +0.0" in page and "- wrong, `m.nose=1`: unknown setting" in page
    assert "worse (early) (stopped early)" in page and page.count(" * | ") == 2  # the intervals of both that stopped
    assert "400 rows, 5 folds × 2 seeds. The base scores 0." in page
    assert table(result, run).row_count == 7

    # what is left out of the best set: the one technique that gained
    off = ablate(run, "m", switch="off")
    assert off.base == ("m.noise=0.1",)
    (row,) = [row for row in off.rows if row.fits]
    assert row.arm.name == "sharper" and row.gain == rows["sharper"].gain  # with one technique it is the same question
    assert len(lines(tmp_path / "fits")) == len(fits)  # and every fit was in the bank


def test_off_takes_a_named_set_and_says_what_does_not_go_together(tmp_path: Path) -> None:
    result = ablate(run_in(tmp_path), "m", switch="off", techniques=["sharper", "same", "worse"], seeds=1)
    assert result.base == ("m.noise=0.1", "m.name=other")
    rows = {row.arm.name: row for row in result.rows}
    assert rows["worse (late)"].note == "it undoes 'sharper'"
    assert rows["sharper"].arm.overrides == ("m.name=other",) and rows["same"].arm.overrides == ("m.noise=0.1",)
    assert rows["sharper"].gain is not None and rows["all together"].gain is not None
    assert rows["sharper"].gain.value == rows["all together"].gain.value > 0
    assert rows["same"].gain is not None and rows["same"].gain.value == 0
    with pytest.raises(KitError, match="^pass=off starts from the best set of pass=on, which has not been run"):
        ablate(run_in(tmp_path), "m", switch="off", seeds=1)


def test_a_killed_ablation_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ablate(run_in(tmp_path / "whole"), "m", techniques=["sharper", "same"], seeds=1)
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    monkeypatch.setenv("STOP", "7")
    with pytest.raises(KeyboardInterrupt):
        ablate(run_in(tmp_path / "run"), "m", techniques=["sharper", "same"], seeds=1)
    assert len(lines(tmp_path / "fits")) == 8
    monkeypatch.delenv("STOP")
    result = ablate(run_in(tmp_path / "run"), "m", techniques=["sharper", "same"], seeds=1)
    assert len(lines(tmp_path / "fits")) == 16  # 15 fits, and the one that was cut off
    assert [(r.arm, r.gain, r.fits) for r in result.rows] == [(r.arm, r.gain, r.fits) for r in whole.rows]


class Clock:
    """A fit of it takes a second; nothing else takes time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, fit = 0.0, Planted.learn
        monkeypatch.setattr(Planted, "learn", lambda member, *rows: self.tick() or fit(member, *rows))
        monkeypatch.setattr("kit.evidence.ablate.budget.time", SimpleNamespace(monotonic=lambda: self.now))

    def tick(self) -> None:
        self.now += 1


@pytest.mark.parametrize("seconds, fits", [(0, 1), (1, 1), (2, 2), (3.5, 3), (6, 6)])
def test_no_fit_begins_that_would_end_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, fits: int
) -> None:
    clock, run = Clock(monkeypatch), run_in(tmp_path)
    result = ablate(run, "m", techniques=["sharper", "same"], hours=seconds / 3600)  # a block is three fits
    assert clock.now == fits
    assert (~np.isnan(result.scores)).sum() == -(-fits // 3)
    assert {row.arm.name: row.fits for row in result.rows} == {"sharper": (fits + 1) // 3, "same": fits // 3}
    page = markdown(result, run, "")
    assert f"there was time for {-(-fits // 3)} of 10 fits of each arm" in page and "nan" not in page
    assert table(result, run).row_count == 2


def test_what_is_kept_costs_no_time_and_hides_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, run = Clock(monkeypatch), run_in(tmp_path)
    for fits in (4, 8, 9):  # each call has time for four, in the midst of a block
        result = ablate(run, "m", techniques=["sharper", "same"], seeds=1, folds=[0, 1, 2], hours=4 / 3600)
        assert clock.now == fits
    whole = ablate(run_in(tmp_path / "whole"), "m", techniques=["sharper", "same"], seeds=1, folds=[0, 1, 2])
    assert [(r.arm, r.gain, r.fits) for r in result.rows] == [(r.arm, r.gain, r.fits) for r in whole.rows]


def test_a_budget_begins_as_many_at_once_as_there_are_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_of(run_in(tmp_path, "folds.n=6"), ["m"])
    assert fit_jobs(jobs[1:2])[jobs[1]].state == "done"
    begun: list[list[int]] = []
    monkeypatch.setattr(
        "kit.evidence.ablate.budget.fit_jobs", lambda some, on, on_event: begun.append([j.fold for j in some]) or {}
    )
    for hours, on, expected in (
        (1.0, "processes:2", [[1], [0, 2], [3, 4], [5]]),
        (1.0, "ray", [[1], [0, 2, 3, 4, 5]]),
        (None, "inline", [[1], [0, 2, 3, 4, 5]]),
    ):
        begun.clear()
        assert Budget(hours, on).fit(jobs, ignore) == ({}, True) and begun == expected
    begun.clear()
    slow = Budget(1.0, "inline", guess=3601)  # what is known of it from before
    assert slow.fit(jobs, ignore) == ({}, False) and begun == [[1]]


def test_what_no_seed_changes_is_fitted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planted, "is_random", False)
    run = run_in(tmp_path)
    result = ablate(run, "m", seeds=3)
    assert result.scores.shape == (5, 1) and "5 folds × 1 seed (no seed changes it)." in markdown(result, run, "")
    off = ablate(run, "m", switch="off", seeds=2)  # it finds the pass before
    assert off.base == ("m.noise=0.1",)


def test_memory_and_time_are_those_of_the_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evident, "techniques", {"hungry": "m.hungry=64"})
    result = ablate(run_in(tmp_path, "m.hungry=16"), "m", seeds=1, folds=[0, 1])
    (row,) = result.rows
    if result.mib is None:
        pytest.skip("this system does not let a process measure its peak memory")
    assert 15 < result.mib < 24 and row.mib is not None and 2.5 < row.mib < 4.5 and row.seconds is not None


@pytest.mark.slow
def test_processes_come_to_the_same(tmp_path: Path) -> None:
    run = opened_in(tmp_path)
    apart = ablate(run, "m", techniques=["sharper"], seeds=1, folds=[0, 1], on="processes:2")
    here = ablate(run_in(tmp_path / "here"), "m", techniques=["sharper"], seeds=1, folds=[0, 1])
    assert [row.gain for row in apart.rows] == [row.gain for row in here.rows] and apart.rows[0].seconds is not None


def test_a_metric_that_falls_gains_when_it_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evident, "task", Evident.task.model_copy(update={"metric": rmse}))
    result = ablate(run_in(tmp_path), "m", techniques=["worse", "sharper"], seeds=1)
    assert result.rows[0].arm.name == "sharper" and result.rows[0].gain is not None and result.rows[0].gain.value > 0
    assert result.rows[-1].arm.name == "worse (early)"


def test_one_fold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        KitError, match="^ablate needs at least 2 folds to tell a gain from random variation; it got 1$"
    ):
        ablate(run_in(tmp_path), "m", folds=[1])

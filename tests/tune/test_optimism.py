"""A search says how optimistic it is: on other folds and seeds, and on rows that it never saw."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from kit.core.files import read_json
from kit.ensemble import Blend, Mean
from kit.folds import Folds, KFold
from kit.member import Member, Predictor
from kit.metrics import rmse
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.run import Run
from kit.table import Table
from kit.task import Task
from kit.tune import Tuning, integer, tune, with_trials
from kit.tune.study import Search
from kit.tune.summary import summary
from tests.helpers.tuning import Bench, bench, careless, fits, searched  # noqa: F401


def test_the_optimism_of_a_search_among_equals_is_shown(bench: Bench, tmp_path: Path) -> None:
    """Settings that change chance alone: the best of them is best by luck, which does not come again."""
    tuned = searched(bench, tmp_path, member="noise", trials=20, pruner="none", rescore=2)
    assert tuned.best is not None and tuned.rescored is not None and tuned.gain > 0
    again = tuned.rescored
    assert min(again.winner) > tuned.best["score"]  # an error: more of it on other folds and seeds
    assert tuned.gain - again.gain.value > 0.05 and again.gain.low < 0 < again.gain.high
    assert again.gain.value == pytest.approx(np.mean(again.own) - np.mean(again.winner))
    text = "\n".join(summary(tuned))
    assert f"luck with folds and seeds: {tuned.gain - again.gain.value:+.5f}" in text
    assert "scored again on 2 other fold plans and seeds" in text
    assert "luck with these rows does not show here" in text and "significant" not in text and "overstated" not in text
    kept = read_json(tmp_path / "run/tuned.json")["noise"]["rescored"]
    assert kept["winner"] == list(again.winner) and kept["drawn"] is True


def test_a_true_gain_is_a_sure_one_on_rows_held_out(bench: Bench, tmp_path: Path, fits: Path) -> None:
    tuned = searched(bench, tmp_path, trials=10, rescore=1, holdout=0.25)
    assert tuned.rescored is not None and tuned.rescored.gain.value == pytest.approx(tuned.gain, abs=1e-6)
    held = tuned.unseen
    assert held is not None and held.rows == 15 and held.gain.low > 0  # a quarter of 60
    assert held.winner == pytest.approx(tuned.best["score"] if tuned.best else 0, abs=1e-6)
    text = "\n".join(summary(tuned))
    assert "on 15 rows held out, which no trial has seen" in text and "not significant" not in text
    kept = read_json(tmp_path / "run/tuned.json")["bowl"]["unseen"]
    assert kept["rows"] == 15 and kept["gain"]["low"] == held.gain.low
    spent = sum(t["fitted"] for t in tuned.trials) + 2 * 3  # one round elsewhere; what is held out costs no fit
    assert len(fits.read_text().splitlines()) == spent
    # a search without a hold-out is another one, and trials of this one are yet to be fitted on all rows
    assert len(searched(bench, tmp_path, trials=1).trials) == 1
    run = bench.run(tmp_path)
    (name,) = (wide := with_trials(run, 1)).recipe.members.keys() - run.recipe.members.keys()
    assert wide.gathered(name) == {} and tuned.best is not None and name == f"bowl@{tuned.best['number']}"


class Linear(Predictor):
    """A weighted sum of columns."""

    def __init__(self, columns: list[str], weights: np.ndarray) -> None:
        self.columns, self.weights = columns, weights

    def predict(self, rows: Rows) -> np.ndarray:
        return rows.frame[self.columns].to_numpy() @ self.weights

    def save(self, folder: Path) -> None:
        np.savez(folder / "kept.npz", columns=self.columns, weights=self.weights)

    @classmethod
    def load(cls, folder: Path) -> "Linear":
        kept = np.load(folder / "kept.npz")
        return cls(kept["columns"].tolist(), kept["weights"])


class Picks(Member):
    """Least squares on the columns that a setting picks, of which none has anything to say."""

    pick: int = Field(0, ge=0)

    def learn(self, train: Rows, valid: Rows, work: Path) -> Linear:
        columns = [f"x{i}" for i in np.random.default_rng(self.pick).permutation(40)[:6]]
        x = train.frame[columns].to_numpy()
        return Linear(columns, np.linalg.solve(x.T @ x + np.eye(6), x.T @ train.labels))


class Chance(Recipe):
    task = Task(name="chance", kind="regression", targets=("y",), metric=rmse)
    tune = {"picks.pick": integer(0, 5000)}
    folds: Folds = KFold(n=2)
    picks: Picks = Picks()
    blend: Blend = Mean()


@pytest.mark.slow
def test_luck_with_rows_shows_on_rows_held_out_alone(tmp_path: Path) -> None:
    """Columns chosen by the very rows that judge them again on other folds: their gain is there again, and is none."""
    found = []
    for number in range(8, 16):  # of 24 searches the gains were 0.093, again 0.042, and on rows held out -0.018
        x = np.random.default_rng(number).normal(size=(161, 41)).round(6)
        frame = pd.DataFrame(x, columns=[*(f"x{i}" for i in range(40)), "y"]).assign(id=[str(i) for i in range(161)])
        table = Table(Chance.task, frame[:160], frame[160:].drop(columns="y"))
        tuning = Tuning(member="picks", trials=10, pruner="none", rescore=1, holdout=0.5)
        found.append(tune(Run(Chance(), table, tmp_path / str(number)), tuning))
    searched_for = np.mean([tuned.gain for tuned in found])
    again = np.mean([tuned.rescored.gain.value for tuned in found if tuned.rescored])
    held = [tuned.unseen.gain for tuned in found if tuned.unseen]
    assert len(held) >= 6 and searched_for > 0.02 and again > searched_for / 4
    assert abs(np.mean([gain.value for gain in held])) < searched_for / 3
    assert sum(gain.low > 0 for gain in held) <= 1


def test_when_the_time_is_up_nothing_is_scored_again(
    bench: Bench, tmp_path: Path, fits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(bench, tmp_path, trials=3)
    before = fits.read_text()
    monkeypatch.setattr(Search, "over", property(lambda search: True))
    tuned = searched(bench, tmp_path, trials=3, rescore=2, hours=1.0)
    assert tuned.best is not None and not tuned.best["own"] and tuned.rescored is None and fits.read_text() == before
    assert "time is up: scored again less often than requested; run again with more hours" in summary(tuned)


def test_folds_that_cannot_be_drawn_again_are_said_to_be_the_same(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    from kit.folds import TimeSeries

    recipe = type(run.recipe)(folds=TimeSeries(n=2, time="x"))
    timed = Run(recipe, run.table, tmp_path / "timed")
    tuned = tune(timed, Tuning(member="noise", trials=6, rescore=1))
    assert tuned.rescored is not None and not tuned.rescored.drawn
    assert "scored again on 1 other seeds, on the same folds" in "\n".join(summary(tuned))

"""A metric that fails costs no fit: what cannot be scored is refused before the first, and predictions are kept."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from rich.console import Console

from kit.cli.finish import finish, not_done
from kit.core.errors import KitError
from kit.folds import KFold
from kit.members import Boost, Estimator, Seeds, Views
from kit.metrics import METRICS, Metric, rmsle
from kit.metrics.check import score_or_fault
from kit.recipe import Recipe
from kit.report.leaderboard import leaderboard
from kit.run.blend import blend
from kit.run.events import Event, FoldEnded
from kit.run.faults import fold_faults
from kit.run.jobs import fit_jobs, jobs_of, raise_failures
from kit.run.plan_notes import plan_notes
from kit.run.run import Run
from kit.table import Table
from kit.task import Task
from tests.helpers.small import fits, small  # noqa: F401


def odd(y: np.ndarray, p: np.ndarray) -> float:
    """Divides by zero where the first six rows say no, and no prediction is certain."""
    certain = int((p > 0.76).sum())
    return float(certain / len(p)) if y[:6].any() else float(1 / certain)


ODD = Metric(odd, greater_is_better=True)


def judged_by(cls: Any, metric: Metric, root: Path) -> Run:
    recipe = cls().override("boost.lr=0.5")
    recipe = recipe.model_copy(update={"task": recipe.task.model_copy(update={"metric": metric})})
    return Run(recipe, recipe.load(cls.data, root / "cache"), root / "run")


def folds_of_noes(run: Run) -> list[int]:
    return [fold for fold in run.folds if not run.table.y[run.plan == fold][:6].any()]


def test_a_metric_that_fails_on_one_fold_leaves_its_predictions_in_the_bank(
    small: Any, tmp_path: Path, fits: Path
) -> None:
    run = judged_by(small, ODD, tmp_path)
    (fold,) = folds_of_noes(run)
    events: list[Event] = []
    outcomes = fit_jobs(jobs_of(run), on_event=events.append)
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    assert len(fits.read_text().splitlines()) == 4
    faults = {str(e.job): e.fault for e in events if isinstance(e, FoldEnded) and e.fault}
    line = odd.__code__.co_firstlineno + 3
    sentence = f"odd: ZeroDivisionError in test_faults.py, line {line}: division by zero"
    assert faults == {f"memory fold {fold}": sentence}
    kept = run.gathered("memory")[fold]
    assert kept.score["fault"] == sentence and np.isnan(kept.score["score"])
    assert (
        fold_faults(run, run.gathered("memory")) == {fold: sentence} and fold_faults(run, run.gathered("boost")) == {}
    )

    report = blend(run, ["boost", "memory"])
    assert report is not None and list(report.weights) == ["boost"]
    assert report.warnings[0] == f"memory is left out of the blend: fold {fold} has no score: {sentence}"
    assert blend(run, ["boost", "memory"]) == report and blend(run, ["memory"]) is None
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(leaderboard(run, ["boost", "memory"], report))
    text = console.export_text()
    assert f"memory, fold {fold}: no score; the predictions are kept: {sentence}" in text
    assert "boost, fold" not in text

    mended = judged_by(small, METRICS["roc_auc"], tmp_path)
    assert {o.state for o in fit_jobs(jobs_of(mended)).values()} == {"kept"}, "another metric scores what is there"
    assert fold_faults(mended, mended.gathered("memory")) == {}
    both = blend(mended, ["boost", "memory"])
    assert both is not None and list(both.weights) == ["boost", "memory"] and not both.warnings


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        (rmsle, "metric rmsle does not fit a binary task: it scores regression tasks; roc_auc fits"),
        (METRICS["macro_f1"], "metric macro_f1 does not fit a binary task: it scores multilabel and multiclass tasks; f1 fits"),
        (
            Metric(lambda y, p: y.max(axis=3), "mine", greater_is_better=True),
            r"metric mine does not fit a binary task: AxisError in test_faults.py, line \d+: axis 3 is out of bounds .*; roc_auc fits",
        ),
    ],
    ids=["rmsle", "macro_f1", "mine"],
)  # fmt: skip
def test_a_metric_that_does_not_fit_is_refused_before_the_first_fit(
    small: Any, tmp_path: Path, fits: Path, metric: Metric, sentence: str
) -> None:
    with pytest.raises(KitError, match=f"^{sentence}$"):
        fit_jobs(jobs_of(judged_by(small, metric, tmp_path)))
    assert not fits.exists()


def test_a_member_that_does_not_fit_the_task_is_refused_before_any_fit(small: Any, tmp_path: Path, fits: Path) -> None:
    run = judged_by(small, METRICS["log_loss"], tmp_path)
    run = run.with_members({"ranks": Seeds(member=Views(member=Boost(), mean="rank"), n=2)})
    sentence = "^member 'ranks': Views.mean = rank gives ranks, which log_loss of a binary task cannot score$"
    with pytest.raises(KitError, match=sentence):
        fit_jobs(jobs_of(run, "memory ranks", [0]))
    assert not fits.exists()


def root_log_error(y: np.ndarray, p: np.ndarray) -> float:
    """RMSLE as many write it: nan where a prediction is below -1."""
    with np.errstate(invalid="ignore"):
        return float(np.sqrt(np.mean((np.log1p(p) - np.log1p(y)) ** 2)))


def few(y: np.ndarray, p: np.ndarray) -> float:
    """Cannot score all 90 rows."""
    if len(y) > 60:
        raise ZeroDivisionError("too many")
    return float(((y - p) ** 2).mean())


def test_a_metric_that_fails_on_all_rows_still_shows_the_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(Recipe):
        task = Task(name="picky", kind="regression", targets=("y",), metric=Metric(few, greater_is_better=False))
        folds = KFold(n=3)
        boost = Boost(trees=5, min_leaf=5)
        other = Boost(trees=3, min_leaf=5)

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": [f"{i:03}" for i in range(90)], "x": rng.random(90)})
    run = Run(Picky(), Table(Picky.task, frame.assign(y=2 * frame["x"]), frame[:0]), tmp_path)
    why = rf"ZeroDivisionError in test_faults\.py, line {few.__code__.co_firstlineno + 3}: too many"
    (note,) = plan_notes(run)
    assert re.fullmatch(f"metric few fails on 90 rows: {why}; folds are scored, nothing is blended", note)
    raise_failures(fit_jobs(jobs_of(run)))
    monkeypatch.setenv("KIT_REPORT", "no")
    console = Console(width=200, file=io.StringIO(), record=True)
    (missed,) = finish(console, run, ["boost", "other"], False)
    assert re.fullmatch(
        f"boost, other are left out of the blend: all 90 rows together have no score: few: {why}", missed
    )
    table = console.export_text()
    assert "nothing to blend" in table
    for name in ("boost", "other"):
        scores = [kept.score["score"] for kept in run.gathered(name).values()]
        (row,) = [line for line in table.splitlines() if line.startswith(f"│ {name}*")]
        assert all(f"{score:.4f}" in row for score in (*scores, np.mean(scores))) and row.count("·") == 2


class Low(Recipe):
    task = Task(
        name="low", kind="regression", targets=("y",), metric=Metric(root_log_error, greater_is_better=False),
    )  # fmt: skip
    folds = KFold(n=3)
    boost = Boost(trees=5, min_leaf=5)
    low = Estimator("DummyRegressor", strategy="constant", constant=-2.0)


@pytest.mark.parametrize("names", [["boost", "low"], ["low", "boost"], ["low"]])
def test_a_member_that_cannot_be_scored_is_left_out_of_the_blend_and_the_rest_is_blended(
    names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": [f"{i:03}" for i in range(90)], "x": rng.random(90)})
    test = pd.DataFrame({"id": [f"t{i}" for i in range(5)], "x": rng.random(5)})
    table = Table(Low.task, frame.assign(y=2 * frame["x"]), test, test[["id"]].assign(y=0.0))
    run = Run(Low(), table, tmp_path)
    raise_failures(fit_jobs(jobs_of(run, names)))
    fault = "root_log_error is nan for these predictions, which run from -2 to -2"
    assert run.gathered("low")[1].score["fault"] == fault
    left_out = f"low is left out of the blend: fold 0 has no score: {fault}"
    monkeypatch.setenv("KIT_REPORT", "no")
    missed = finish(Console(file=io.StringIO()), run, names, False)
    assert missed == [left_out]
    with pytest.raises(typer.Exit) as ended:  # the rest is done; the command says that this is not
        not_done(missed)
    assert ended.value.exit_code == 1 and capsys.readouterr().err == f"kit: {left_out}; what is finished is kept\n"
    report = blend(run, names)
    if names == ["low"]:
        assert report is None
        return
    not_done(finish(Console(file=io.StringIO()), run, ["boost"], False))  # all that was asked for
    report = blend(run, names)
    assert report is not None and list(report.weights) == ["boost"] and np.isfinite(report.score)
    assert report.warnings[0] == left_out
    assert report.submission is not None and report.summary is not None and report.summary["nested"] is not None


def test_equal_labels_are_no_fault_of_the_predictions() -> None:
    y, p = np.ones((6, 1)), np.linspace(0.1, 0.9, 6)[:, None]
    score, fault = score_or_fault(METRICS["roc_auc"], "binary", y, p)
    assert np.isnan(score) and fault == ""
    assert score_or_fault(METRICS["rmse"], "regression", y, p)[1] == ""
    assert score_or_fault(METRICS["log_loss"], "binary", y, p + 3)[1].startswith("log_loss: predictions must be prob")

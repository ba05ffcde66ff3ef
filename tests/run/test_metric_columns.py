"""A metric that reads a column of the rows is handed it by everything that scores: one that forgets raises here."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import Boost, KFold, Perceptron, Recipe, Stage, Task, cross_validate
from kit.core.errors import KitError
from kit.core.files import read_json
from kit.ensemble import Auto, Greedy, Mean, nested
from kit.ensemble.decide.threshold import best_threshold, out_of_fold_thresholds
from kit.evidence.ablate.ablate import ablate
from kit.evidence.compare import compare
from kit.evidence.curves import curve
from kit.evidence.ledger import cv_difference, record
from kit.evidence.significance import fold_scores
from kit.metrics import Metric, by_group, f1, mae, rmse, roc_auc, row_weighted
from kit.metrics.intervals import bootstrap
from kit.report.leaderboard import leaderboard
from kit.report.page import write_report
from kit.run.blend import blend
from kit.run.faults import fold_faults
from kit.run.jobs import fit_jobs, jobs_of, raise_failures
from kit.run.oof import complete, oof_of, out_of_fold
from kit.run.run import Run
from kit.table import Table
from kit.tune import Tuning, number, tune
from tests.helpers.evidence import Planted

N = 240
AUC, F1 = by_group(roc_auc, "city"), by_group(f1, "city")
PLAIN = {AUC.name: roc_auc, F1.name: f1}


class Cities(Recipe):
    task = Task(name="cities", kind="binary", targets=("y",), aside=("city",), metric=AUC)
    techniques = {"sharper": "m.noise=0.1"}
    tune = {"m.noise": number(0, 1)}
    folds = KFold(n=3)
    m = Planted(noise=0.5)
    twin = Planted(noise=0.8, name="twin")
    blend = Greedy()


def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test rows; cities are of unlike size, and in the largest the signal is of no use."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Oslo", "Rome", "Lima"], N, p=[0.6, 0.3, 0.1])
    x = rng.normal(size=N + 8).round(6)
    y = (np.where(city == "Oslo", 0.0, x[:N]) + rng.normal(0, 0.5, N) > 0).astype(int)
    ids = [f"{i:04d}" for i in range(N + 8)]
    train = pd.DataFrame({"id": ids[:N], "x": x[:N], "city": city, "y": y})
    return train, pd.DataFrame({"id": ids[N:], "x": x[N:]})


def opened(folder: Path, metric: Metric, *settings: str) -> Run:
    task = Cities.task.model_copy(update={"metric": metric})
    train, test = rows()
    return Run(Cities().override(*settings), Table(task, train, test, test[["id"]].assign(y=0.5)), folder / "run")


def fitted(folder: Path, metric: Metric, *settings: str) -> Run:
    run = opened(folder, metric, *settings)
    raise_failures(fit_jobs(jobs_of(run, ["m", "twin"])))
    return run


def naive(run: Run, p: np.ndarray, at: np.ndarray, cut: float | None = None) -> float:
    """The plain metric of each city, and their mean."""
    plain, city = PLAIN[run.table.task.metric.name], run.table.train["city"].to_numpy()
    plain = plain if cut is None else plain.at(cut)
    found = [plain(run.table.y[at & (city == name)], p[at & (city == name)]) for name in np.unique(city[at])]
    return float(np.mean(found))


def predictions(run: Run, member: str = "m") -> np.ndarray:
    return out_of_fold(run, run.gathered(member)).astype(np.float64)


@pytest.mark.parametrize("metric", [AUC, F1], ids=str)
def test_folds_the_blend_and_the_nested_score(tmp_path: Path, metric: Metric) -> None:
    run = fitted(tmp_path, metric)
    p, everything = predictions(run), run.plan >= 0
    for number_, fold in run.gathered("m").items():
        assert fold.score["score"] == pytest.approx(naive(run, p, run.plan == number_))
    assert naive(run, p, everything) != pytest.approx(PLAIN[metric.name](run.table.y, p), abs=1e-3)
    report = blend(run, ["m", "twin"])
    assert report is not None and report.summary is not None and report.submission is not None
    mixed = sum(predictions(run, name) * weight for name, weight in report.weights.items())
    if metric is AUC:
        assert report.score == pytest.approx(naive(run, mixed, everything), abs=1e-6)
        assert report.score >= max(naive(run, predictions(run, name), everything) for name in ("m", "twin")) - 1e-6
    else:
        assert report.score == pytest.approx(naive(run, mixed, everything, report.thresholds[0]), abs=1e-6)
    honest = nested(Mean(), oof_of(run, complete(run, ["m", "twin"])))
    assert honest is not None and honest.interval is not None and honest.interval.low < honest.score
    mean = (predictions(run) + predictions(run, "twin")) / 2
    for number_, score in honest.folds.items():
        cut = honest.thresholds[number_][0] if honest.thresholds[number_] else None
        assert score == pytest.approx(naive(run, mean, run.plan == number_, cut), abs=1e-6)


def test_thresholds_and_intervals(tmp_path: Path) -> None:
    run = fitted(tmp_path, F1)
    p, y, everything = predictions(run), run.table.y, run.plan >= 0
    (cut,) = best_threshold(run.metric_of(), y, p)
    tried = np.unique(np.quantile(p, np.linspace(0, 1, 50)))
    assert naive(run, p, everything, cut) >= max(naive(run, p, everything, t) for t in tried) - 0.02
    cuts = out_of_fold_thresholds(run.metric_of(), y, p, run.plan)
    scores, decided = fold_scores(run, p, run.folds)
    for fold, score in zip(run.folds, scores, strict=True):
        assert score == pytest.approx(naive(run, p, run.plan == fold, cuts[fold][0]))
    interval = bootstrap(run.metric_of(), y, p, rounds=50)
    assert interval.value == pytest.approx(naive(run, p, everything)) and interval.low < interval.value < interval.high
    assert set(np.unique(decided)) == {0.0, 1.0}


@pytest.mark.parametrize("metric", [AUC, F1], ids=str)
def test_evidence_report_and_search(tmp_path: Path, metric: Metric) -> None:
    run = fitted(tmp_path, metric)
    report = blend(run, ["m", "twin"])
    assert leaderboard(run, ["m", "twin"], report)
    found = compare(run, "m", "twin", seeds=1, rounds=20)
    expected = [fold_scores(run, predictions(run, name), run.folds)[0] for name in ("m", "twin")]
    assert found.a.scores[:, 0] == pytest.approx(expected[0]) and found.b.scores[:, 0] == pytest.approx(expected[1])
    assert found.rows.low <= found.rows.value <= found.rows.high
    assert len(curve(run, "m", points=[80, 160], rounds=20).points) == 2
    assert ablate(run, "m", seeds=1).rows
    first = record(run, 0.7)
    again = run.with_settings("blend=Mean")
    blend(again, ["m", "twin"])
    assert cv_difference(run, first, record(again, 0.71)) is not None
    page = write_report(again, ["m", "twin"], debug=True).read_text()
    assert "by_group(" in page and read_json(run.root / "blend" / "left_out.json")["adds"]
    tuned = tune(run, Tuning(member="m", trials=3, holdout=0.2, rescore=1), lambda trial, best: None)
    assert tuned.best is not None


def test_another_metric_scores_folds_that_are_there(tmp_path: Path) -> None:
    fitted(tmp_path, AUC)
    folds = opened(tmp_path, F1).gathered("m")
    assert len(folds) == 3 and not fold_faults(opened(tmp_path, F1), folds)


def test_auto_scores_all_choices_by_it(tmp_path: Path) -> None:
    run = fitted(tmp_path, AUC)
    found = Auto().fit_oof(oof_of(run, complete(run, ["m", "twin"])))
    refused = [one["refused"] for one in found.explanation()["choices"] if one["nested"] is None]
    assert not [why for why in refused if "city" in why] and len(refused) < 6


def test_early_stopping_goes_by_it(tmp_path: Path) -> None:
    stage = Stage(epochs=2, lr=0.01, precision="fp32")
    for stop in ("valid", "inner"):
        member = Perceptron(hidden=(4,), stop=stop, stage=stage)
        run = Run(
            opened(tmp_path, AUC).recipe.with_members({"net": member}), opened(tmp_path, AUC).table, tmp_path / stop
        )
        raise_failures(fit_jobs(jobs_of(run, ["net"], [0])))
        assert run.gathered("net")[0].score["score"] > 0


def test_in_a_notebook_the_column_may_be_aside_or_an_input(capsys: pytest.CaptureFixture[str]) -> None:
    frame = rows()[0].assign(weight=np.arange(N) % 3)
    metric = by_group(row_weighted(mae, "weight"), "city")
    for aside in (("city", "weight"), ()):
        found = cross_validate(
            frame, target="y", members=Boost(trees=5), kind="regression", metric=metric, aside=aside, id="id"
        )
        p = found.oof.iloc[:, 1].to_numpy()
        each = [
            np.average(np.abs(part["y"] - p[part.index]), weights=part["weight"]) for _, part in frame.groupby("city")
        ]
        assert found.session.run.metric_of()(frame["y"], p) == pytest.approx(np.mean(each))
        assert found.blend().score is not None


@pytest.mark.parametrize("door", ["recipe", "cross_validate", "member"])
def test_a_column_that_is_not_there_is_named_before_the_first_fit(door: str, tmp_path: Path) -> None:
    sentence = (
        r"metric by_group\(rmse,'citi'\) reads column 'citi' of the rows, which they do not have; did you mean 'city'"
    )
    frame, metric = rows()[0], by_group(rmse, "citi")
    with pytest.raises(KitError, match=sentence):
        if door == "recipe":
            run = opened(tmp_path, metric)
            fit_jobs(jobs_of(run, ["m"]))
        elif door == "cross_validate":
            cross_validate(frame, target="y", members=Boost(trees=5), kind="regression", metric=metric)
        else:
            inputs: Any = frame.drop(columns="y")
            Perceptron(stop="valid").fit(inputs, frame["y"], (inputs, frame["y"]), kind="regression", metric=metric)
    assert not (tmp_path / "run").exists()

"""Importances of trees: the column that decides comes first by every measure, and noise last."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.evidence.importance import importances
from kit.folds import KFold
from kit.members import Boost, Linear
from kit.metrics import accuracy, mean_roc_auc, rmse, roc_auc
from kit.recipe import Recipe
from kit.report.data import ReportData
from kit.report.plots import Figures
from kit.report.sections import columns, groups
from kit.run.fold import fit_fold
from kit.run.oof import out_of_fold
from kit.run.run import Run
from kit.table import Table
from kit.task import Task

METRICS = {"binary": roc_auc, "regression": rmse, "multiclass": accuracy, "multilabel": mean_roc_auc}


def fitted(kind: str, folder: Path, n: int = 300) -> Run:
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"noise": rng.normal(size=n), "main": rng.normal(size=n), "weak": rng.normal(size=n)})
    x["kind"] = rng.choice(["a", "b", "c"], n)
    z = 3 * x["main"] + x["weak"] + 2 * (x["kind"] == "b") + rng.normal(size=n) / 4
    y: dict[str, Any] = {
        "binary": {"y": (z > 0) * 1}, "regression": {"y": z}, "multilabel": {"y": (z > 0) * 1, "v": (z > 2) * 1},
        "multiclass": {"y": np.array(list("pqr"))[np.digitize(z, [-1, 1])]},
    }[kind]  # fmt: skip

    class Own(Recipe):
        task = Task(name="own", kind=kind, targets=tuple(y), metric=METRICS[kind])
        folds = KFold(n=3)
        boost = Boost(trees=30, lr=0.2, num_leaves=7, patience=None)
        linear = Linear()

    recipe = Own()
    frame = x.assign(id=range(n), **y)
    run = Run(recipe, Table(recipe.task, frame, frame[:0].drop(columns=list(y))), folder)
    for fold in run.folds:
        assert fit_fold(run, "boost", fold).state == "done"
    return run


@pytest.mark.parametrize("kind", list(METRICS))
def test_what_decides_comes_first_by_every_measure(kind: str, tmp_path: Path) -> None:
    run = fitted(kind, tmp_path)
    found = importances(run, "boost")
    assert found is not None and found.folds == 3 and found.rows == 300
    table = found.columns.set_index("column")
    assert table["gain"].sum() == pytest.approx(1) and table["gain"].is_monotonic_decreasing
    for measure in ("gain", "fall", "shap"):
        assert table[measure].idxmax() == "main" and table[measure].idxmin() == "noise"
    assert table.loc["main", "fall"] > 0.1 > abs(table.loc["noise", "fall"])
    values, means = found.dependence["main"]
    assert values == sorted(values) and means.shape == (len(values), run.table.task.outputs)
    if kind != "multiclass":
        assert means[-1, 0] - means[0, 0] > 0.4
        kinds, by_kind = found.dependence["kind"]
        assert set(kinds) == {"a", "b", "c"} and kinds[int(by_kind[:, 0].argmax())] == "b"


def test_contributions_add_up_to_the_prediction(tmp_path: Path) -> None:
    from kit.run.predict import fold_predictors

    run = fitted("regression", tmp_path)
    _, predictor = next(fold_predictors(run, "boost"))
    frame = predictor.columns.frame(run.table.rows(np.arange(50)))  # type: ignore[attr-defined]
    (model,) = predictor.models  # type: ignore[attr-defined]
    found = predictor.spec.contributions(model, frame)  # type: ignore[attr-defined]
    rest = model.predict(frame) - found.sum(axis=(1, 2))
    assert found.shape == (50, 1, 4) and np.ptp(rest) == pytest.approx(0, abs=1e-9)  # the mean, the same for all rows


def test_the_fall_is_that_of_the_metric(tmp_path: Path) -> None:
    """Shuffled, the main column of a regression leaves an error near the spread of what it told."""
    run = fitted("regression", tmp_path)
    found = importances(run, "boost")
    assert found is not None
    assert 2 < found.columns.set_index("column").loc["main", "fall"] < 5  # of rmse: √2 · 3 less the error before


def test_without_time_there_are_gains_alone(tmp_path: Path) -> None:
    found = importances(fitted("binary", tmp_path), "boost", seconds=0)
    assert found is not None and found.dependence == {} and found.columns["fall"].isna().all()
    assert found.columns["gain"].sum() == pytest.approx(1)


def test_members_without_trees_have_none(tmp_path: Path) -> None:
    run = fitted("binary", tmp_path)
    assert importances(run, "linear") is None  # nothing is fitted
    assert fit_fold(run, "linear", 0).state == "done"
    assert importances(run, "linear") is None
    page = columns.body(ReportData(run, ["linear"]), Figures(tmp_path / "plots", ["linear"], debug=True))
    assert "No fold of a member of gradient-boosted trees is finished." in page


def test_the_page_shows_columns(tmp_path: Path) -> None:
    run = fitted("binary", tmp_path)
    figures = Figures(tmp_path / "plots", ["boost"], debug=True)
    page = columns.body(ReportData(run, ["boost"]), figures)
    assert (
        "Shuffling &#x27;main&#x27; costs most: roc_auc gets worse by " in page or "Shuffling 'main' costs most" in page
    )
    assert figures.made == ["columns-importance", *(f"columns-dependence-{i}" for i in range(4))]
    assert all(f">{name}<" in page for name in ("main", "weak", "kind", "noise"))


def test_scores_by_group_are_the_metrics_of_these_rows(tmp_path: Path) -> None:
    run = fitted("binary", tmp_path)
    data = ReportData(run, ["boost"])
    assert groups.grouping_columns(data) == ["kind"]
    found = groups.group_scores(data, "kind").set_index("value")
    p = out_of_fold(run, data.folds["boost"])
    for value, score in found["score"].items():
        rows = (run.table.train["kind"] == value).to_numpy()
        assert score == pytest.approx(roc_auc(run.table.y[rows], p[rows])) and found.loc[value, "rows"] == rows.sum()
    assert found["score"].is_monotonic_increasing and set(found.index) == {"a", "b", "c"}  # the worst first

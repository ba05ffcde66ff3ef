"""What is said of a fold plan before the fits."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kit.folds import Folds, Grouped, KFold, Multilabel, Stratified
from kit.metrics import log_loss, mean_roc_auc, rmse
from kit.recipe import Recipe
from kit.run.plan_notes import plan_notes
from kit.run.run import Run
from kit.table import Table
from kit.task import Task


def notes(folds: Folds, frame: pd.DataFrame, task: Task) -> list[str]:
    class Noted(Recipe):
        pass

    Noted.task = task
    frame = frame.assign(id=[str(i) for i in range(len(frame))])
    test = frame.iloc[:0].drop(columns=list(task.targets))
    return plan_notes(Run(Noted(folds=folds), Table(task, frame, test), Path("unused")))


def classes(*words: str) -> Task:
    return Task(name="t", kind="multiclass", targets="y", inputs="x", aside="g", metric=log_loss, classes=words)


def test_classes_rarer_than_folds_are_named_by_their_labels() -> None:
    frame = pd.DataFrame({"x": range(100), "g": 0, "y": ["a"] * 60 + ["b"] * 36 + ["c"] * 3 + ["d"]})
    sentence = "2 classes have fewer rows than there are folds (5), so some folds have none of them: 'c' (3), 'd' (1)"
    assert notes(Stratified(), frame, classes(*"abcd")) == [sentence]
    assert notes(Stratified(n=3), frame, classes(*"abcd"))[0].startswith(
        "1 class has fewer rows than there are folds (3)"
    )
    assert notes(Stratified(), frame[:96], classes("a", "b")) == []
    rare = frame.assign(y=[f"k{i:02}" for i in range(10)] + ["a"] * 90)
    assert notes(KFold(), rare, classes("a", *sorted(set(rare["y"]) - {"a"})))[0].endswith("'k04' (1) …")


def test_labels_that_are_rare_and_values_that_are_none() -> None:
    frame = pd.DataFrame({"x": range(50), "a": [0, 1] * 25, "b": [1, 1] + [0] * 48})
    task = Task(name="t", kind="multilabel", targets=("a", "b"), inputs="x", metric=mean_roc_auc)
    assert notes(Multilabel(), frame, task) == [
        "1 label has fewer rows than there are folds (5), so some folds have none of them: 'b' (2)"
    ]
    task = Task(name="t", kind="regression", targets=("a", "b"), inputs="x", metric=rmse)
    assert notes(KFold(), frame, task) == []


@pytest.mark.parametrize("folds", [KFold(), Grouped(group="g")])
def test_uneven_folds_are_noted_with_their_reason(folds: Folds) -> None:
    frame = pd.DataFrame({"x": np.maximum(np.arange(200) - 99, 0), "g": np.arange(200), "y": ["a", "b"] * 100})
    why = (
        "100 rows have one 'g', or are duplicates of such rows, and stay in one fold"
        if isinstance(folds, Grouped)
        else "100 equal rows stay in one fold; keep_duplicates_together=false splits them"
    )
    (said,) = notes(folds, frame, classes("a", "b"))
    assert said.startswith(f"folds have 25 to 100 rows: {why}")
    assert ("keep_duplicates_together=false splits them" in said) == isinstance(folds, KFold)
    assert notes(folds.override("keep_duplicates_together=false"), frame, classes("a", "b")) == []
    assert notes(folds, frame.assign(x=range(200)), classes("a", "b")) == []

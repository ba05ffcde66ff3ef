"""The usual members fit every kind of task, and a frame is cross-validated without naming any."""

import numpy as np
import pandas as pd
import pytest

from kit import Task, cross_validate, log_loss, rmse
from kit.members.usual import FEW_ROWS, usual_members


def task_of(kind: str, **columns: object) -> Task:
    classes = {"multiclass": ("a", "b", "c"), "binary": (0, 1)}.get(kind, ())
    metric = rmse if kind == "regression" else log_loss
    return Task(name="t", kind=kind, targets=("y",), metric=metric, classes=classes, **columns)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "multilabel"])
@pytest.mark.parametrize(
    "columns", [{"inputs": ("x",)}, {"inputs": ("t", "x"), "text": "t"}, {"inputs": ("t",), "text": "t"}]
)
def test_each_of_them_can_be_fitted_on_such_a_task(kind: str, columns: dict[str, object]) -> None:
    task = task_of(kind, **columns)
    members = usual_members(task, 1000)
    for member in members.values():
        member.check(task)
    assert {"linear", "boost"} <= members.keys()
    assert ("nbsvm" in members) == ("text" in columns and kind != "regression")
    assert ("tabm" in members) == ("x" in columns["inputs"])  # type: ignore[operator]


def test_many_rows_leave_out_what_would_take_hours() -> None:
    assert [*usual_members(task_of("binary", inputs=("x",)), FEW_ROWS + 1)] == ["linear", "boost"]


def test_pictures_are_seen_through_a_frozen_network() -> None:
    members = usual_members(task_of("binary", inputs=("image",), images="image"), 100)
    assert all([type(f).__name__ for f in member.features] == ["Embedding"] for member in members.values())


@pytest.mark.slow
def test_a_frame_is_cross_validated_without_naming_members() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=90)
    frame = pd.DataFrame({"x": x, "kind": rng.choice(["p", "q"], 90), "price": 3 * x + 0.1 * rng.normal(size=90)})
    found = cross_validate(frame, target="price", folds=2, metric=rmse)
    assert [*found.session.recipe.members] == [
        "linear",
        "boost",
        "extra_trees",
        "xgboost",
        "catboost",
        "realmlp",
        "tabm",
    ]
    assert not found.failures
    predicted = found.blend() and found.predict(frame.drop(columns="price"))
    assert rmse(frame["price"].to_numpy(), predicted["price"].to_numpy()) < 0.6  # its spread is 3

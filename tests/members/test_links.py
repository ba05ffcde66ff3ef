"""Objectives of a network member read its outputs as its task does: as classes, labels or values."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit.core.errors import KitError
from kit.members import Perceptron
from kit.members.network import fitting
from kit.members.network.settings import Regularise
from kit.metrics import METRICS
from kit.rows import Rows
from kit.task import Task
from kit.train import Stage

METRIC = {"binary": "roc_auc", "multilabel": "mean_roc_auc", "multiclass": "log_loss", "regression": "rmse"}
LINK = {"binary": "sigmoid", "multilabel": "sigmoid", "multiclass": "softmax", "regression": "identity"}


def rows_of(kind: Any) -> Rows:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(24, 1)) if kind == "regression" else (np.arange(24)[:, None] + [0]) % 2
    targets, classes = ("y",), ()
    if kind == "multilabel":
        y, targets = np.column_stack([y, 1 - y]), ("y", "z")
    if kind == "multiclass":
        y, classes = np.arange(24)[:, None] % 3, ("a", "b", "c")
    task = Task(name="t", kind=kind, targets=targets, classes=classes, metric=METRICS[METRIC[kind]])
    return Rows.of(task, pd.DataFrame({"x": rng.random(24)}), y)


def learnt(kind: str, regularise: Regularise, work: Path, **stage: Any) -> None:
    rows = rows_of(kind)
    member = Perceptron(hidden=(4,), regularise=regularise, stage=Stage(epochs=1, precision="fp32", **stage))
    member.learn(rows, rows.take(np.arange(0)), work)


@pytest.mark.parametrize("kind", LINK)
def test_diversity_and_rdrop_read_outputs_as_the_task_does(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[Any]] = {"NegativeCorrelation": [], "RDrop": []}
    for name, links in seen.items():
        made = getattr(fitting, name)

        def noted(objective: Any, weight: float, link: str, made: Any = made, links: list[Any] = links) -> Any:
            links.append(link)
            return made(objective, weight, link)

        monkeypatch.setattr(fitting, name, noted)
    learnt(kind, Regularise(heads=2, diversity=0.5), tmp_path)
    (tmp_path / "rdrop").mkdir()
    learnt(kind, Regularise(), tmp_path / "rdrop", rdrop=0.5)
    assert seen == {"NegativeCorrelation": [LINK[kind]], "RDrop": [LINK[kind]]}


def test_only_of_values_too_much_diversity_has_no_minimum(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="NegativeCorrelation.weight = 1.5: above 1 the loss has no minimum"):
        learnt("regression", Regularise(heads=2, diversity=1.5), tmp_path)
    learnt("multiclass", Regularise(heads=2, diversity=1.5), tmp_path)

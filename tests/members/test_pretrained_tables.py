"""TabICL and TabPFN: real loading code with random weights of the real architecture, and what is said without them."""

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from kit.core.errors import KitError
from kit.members import Boost, TabICL, TabPFN
from kit.metrics import log_loss, rmse, roc_auc
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.task import Task
from kit.testing import check_member

TASKS = {
    "binary": Task(name="t", kind="binary", targets=("y",), metric=roc_auc),
    "multiclass": Task(name="t", kind="multiclass", targets=("y",), classes=("a", "b", "c"), metric=log_loss),
    "regression": Task(name="t", kind="regression", targets=("y", "z"), metric=rmse),
}


def rows_of(kind: str = "binary", n: int = 45) -> Rows:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    frame = pd.DataFrame({"x": np.where(rng.random(n) < 0.1, np.nan, x), "k": rng.choice(["u", "v"], n)})
    y = {
        "binary": (x > 0).astype(float)[:, None],
        "multiclass": np.digitize(x, [-0.5, 0.5]).astype(float)[:, None],
        "regression": np.stack([x, 3 - x], axis=1),
    }[kind]
    return Rows.of(TASKS[kind], frame, y)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both networks of TabICL, tiny and with random weights, in the form of its published files."""
    pytest.importorskip("tabicl", reason="the extra 'tabicl' is not installed")
    from tabicl._model.tabicl import TabICL as Network

    folder = tmp_path_factory.mktemp("tabicl")
    tiny: dict[str, Any] = {"embed_dim": 8, "col_num_blocks": 1, "col_nhead": 2, "col_num_inds": 4}
    tiny |= {"row_num_blocks": 1, "row_nhead": 2, "row_num_cls": 2, "icl_num_blocks": 1, "icl_nhead": 2, "ff_factor": 1}
    for kind, classes in (("classifier", 10), ("regressor", 0)):
        config = tiny | {"max_classes": classes, "num_quantiles": 9}
        torch.manual_seed(0)
        net = Network(**config)
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.3)  # some begin at zero, and every row would be predicted alike
        torch.save({"config": config, "state_dict": net.state_dict()}, folder / f"tabicl-{kind}-tiny.ckpt")
    return folder


@pytest.mark.parametrize("kind", TASKS)
def test_tabicl_keeps_the_contract(kind: str, weights: Path, tmp_path: Path) -> None:
    check_member(TabICL(weights=str(weights), estimators=2), rows_of(kind), tmp_path)


def test_it_predicts_what_the_package_predicts(weights: Path, tmp_path: Path) -> None:
    from tabicl import TabICLClassifier

    rows = rows_of()
    ours = TabICL(weights=str(weights), estimators=2, seed=3).learn(rows, rows, tmp_path).predict(rows)
    x = np.stack([rows.frame["x"], (rows.frame["k"] == "v").astype(float)], axis=1)
    path = str(weights / "tabicl-classifier-tiny.ckpt")
    theirs = TabICLClassifier(n_estimators=2, model_path=path, allow_auto_download=False, random_state=3)
    np.testing.assert_allclose(
        ours[:, 0], theirs.fit(x, rows.labels[:, 0].astype(int)).predict_proba(x)[:, 1], atol=1e-6
    )
    assert ours.std() > 1e-5


def test_a_context_of_some_rows(weights: Path, tmp_path: Path) -> None:
    rows = rows_of()
    fitted = TabICL(weights=str(weights), estimators=1, context=20).learn(rows, rows, tmp_path)
    assert len(fitted.x) == len(fitted.y) == 20


def test_weights_are_found_by_name_and_count_by_content(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TabICL().identity()
    monkeypatch.setenv("KIT_WEIGHTS", str(tmp_path))
    (tmp_path / "tabicl").symlink_to(weights)
    assert TabICL().identity() != before
    rows = rows_of()
    by_name = TabICL(estimators=1).learn(rows, rows, tmp_path).predict(rows)
    by_folder = TabICL(weights=str(weights), estimators=1).learn(rows, rows, tmp_path).predict(rows)
    np.testing.assert_array_equal(by_name, by_folder)


# ---- without weights, package or licence ---------------------------------------------------------


class Mixed(Recipe):
    task = TASKS["binary"]
    pretrained: TabICL = TabICL()
    boost: Boost = Boost(trees=3, min_leaf=3)


def test_without_weights_the_rest_of_the_recipe_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path / "none"))
    rows = rows_of(n=60)
    frame = rows.frame.assign(id=range(60), y=rows.labels[:, 0].astype(int))
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame.drop(columns="y").to_csv(tmp_path / "test.csv", index=False)
    run = Run(Mixed(), Mixed().load(tmp_path), tmp_path / "runs")
    outcomes = fit_jobs(jobs_of(run, ["pretrained", "boost"], run.folds))
    states = {(job.member, outcome.state) for job, outcome in outcomes.items()}
    assert states == {("pretrained", "failed"), ("boost", "done")}
    said = {outcome.sentence for job, outcome in outcomes.items() if job.member == "pretrained"}
    assert len(said) == 1 and "\n" not in next(iter(said))
    assert "TabICL.weights = 'tabicl': no file *classifier*.ckpt there" in next(iter(said))
    assert "huggingface.co/jingang/TabICL" in next(iter(said))


def test_a_licence_is_asked_for_and_a_missing_package_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of()
    with pytest.raises(KitError, match=r"non-commercial.*accept_licence=true"):
        TabPFN().prepare(rows)
    accepted = TabPFN(accept_licence=True, weights=str(tmp_path))
    with pytest.raises(KitError, match=r"TabPFN.weights = .*huggingface.co/Prior-Labs"):
        accepted.prepare(rows)
    (tmp_path / "tabpfn-v2-classifier.ckpt").touch()
    monkeypatch.setitem(sys.modules, "tabpfn", None)
    with pytest.raises(KitError, match=r"TabPFN needs the package tabpfn: pip install 'kit\[tabpfn\]'"):
        accepted.prepare(rows)
    monkeypatch.setitem(sys.modules, "tabicl", None)
    with pytest.raises(KitError, match=r"TabICL needs the package tabicl: pip install 'kit\[tabicl\]'"):
        TabICL(weights=str(tmp_path)).prepare(rows)


class Remembered:
    """What TabPFN's estimators look like from outside: it answers with the share of ones."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def fit(self, x: np.ndarray, y: np.ndarray) -> "Remembered":
        assert self.settings["model_path"].endswith(".ckpt") and self.settings["n_estimators"] == 4
        self.classes_, counts = np.unique(y, return_counts=True)
        self.share = counts / counts.sum()
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return np.tile(self.share, (len(x), 1))


def test_tabpfn_is_called_as_its_package_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tabpfn-v2-classifier.ckpt").touch()
    package = types.ModuleType("tabpfn")
    package.TabPFNClassifier = package.TabPFNRegressor = Remembered  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tabpfn", package)
    rows = rows_of()
    member = TabPFN(accept_licence=True, weights=str(tmp_path), estimators=4)
    found = member.learn(rows, rows, tmp_path).predict(rows)
    np.testing.assert_allclose(found, rows.labels.mean(), atol=1e-9)

"""A run whose labels are missing in one of several targets, from the files to the report."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import (
    Greedy,
    KFold,
    KitError,
    Linear,
    Multilabel,
    Perceptron,
    Predefined,
    Stage,
    Stratified,
    cross_validate,
)
from kit.folds import StratifiedGrouped
from kit.metrics import Metric, mean_roc_auc, micro_f1

N = 150
NAMES = ["a", "b"]


def frame_of(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose labels have gaps, six of them without any; and the labels without gaps."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(N, 3)), columns=["x", "y", "z"])
    whole = np.stack([frame.x > 0, frame.y > frame.z], axis=1).astype(float)
    holed = np.where(rng.random((N, 2)) < [0.5, 0.1], np.nan, whole)
    holed[:6] = np.nan
    return frame.assign(a=holed[:, 0], b=holed[:, 1], site=np.arange(N) // 3, fold=np.arange(N) % 3), whole


def test_every_part_of_a_run_takes_gaps(tmp_path: Path) -> None:
    frame, whole = frame_of()
    small = Perceptron(hidden=(8,), stage=Stage(epochs=12, lr=0.05, precision="fp32"), stop="inner", inner=0.25)
    found = cross_validate(
        frame.drop(columns=["site", "fold"]), target=NAMES, members=[Linear(), small],
        folds=2, blend=Greedy(), folder=tmp_path / "run",
    )  # fmt: skip
    assert not found.failures and found.session.table.task.kind == "multilabel"
    run, y = found.session.run, found.session.table.y
    assert np.isnan(y).sum() > 60
    for fold in run.folds:
        train, valid = run.split(fold)
        assert not np.isnan(y[train]).all(axis=1).any()  # rows without a label teach nothing
        assert (~np.isnan(y[valid])).sum(axis=0).min() > 10
        assert run.store("linear").read(fold).score["rows"]["train"] == len(train)  # type: ignore[union-attr]
    result = found.blend()
    for name in run.recipe.members:
        p = found.session.oof(name)[NAMES].to_numpy()
        assert np.isfinite(p).all()  # rows without a label are predicted
        known = [~np.isnan(y[:, j]) for j in range(2)]
        naive = np.mean([mean_roc_auc(y[rows, j], p[rows, j]) for j, rows in enumerate(known)])
        assert mean_roc_auc(y, p) == pytest.approx(naive) and mean_roc_auc(whole, p) > 0.8
    assert result.score > 0.85 and np.isfinite(found.session.oof()[NAMES].to_numpy()).all()
    assert "mean_roc_auc" in str(found.leaderboard)
    page = found.session.report().read_text(encoding="utf-8")
    assert "a unknown" in page and "Traceback" not in page and "could not" not in page


@pytest.mark.parametrize("folds", [Multilabel(n=5), Stratified(n=5), StratifiedGrouped(n=5, group="site")])
def test_folds_are_balanced_on_what_is_known(folds: Any) -> None:
    frame, _ = frame_of()
    y = frame[NAMES].to_numpy()
    plan = folds.plan(frame, y)
    spread = 3 if isinstance(folds, StratifiedGrouped) else 2
    for counts in (
        [(~np.isnan(y[plan == fold])).sum(axis=0) for fold in range(5)],
        [(y[plan == fold] == 1).sum(axis=0) for fold in range(5)],
    ):
        assert (np.ptp(counts, axis=0) <= 2 * spread).all()
    values = np.where(np.isnan(y), np.nan, np.random.default_rng(0).normal(size=y.shape))
    if not isinstance(folds, Multilabel):
        plan = folds.override("bins=3").plan(frame, values)
        means = [np.nanmean(values[plan == fold], axis=0) for fold in range(5)]
        assert np.ptp(means, axis=0).max() < 0.8
    with pytest.raises(KitError, match="folds: 1 rows have no label, the first at position 2"):
        (Multilabel if isinstance(folds, Multilabel) else Stratified)(n=2).plan(frame[:4], np.array([1, 0, np.nan, 1]))


def test_a_fold_that_knows_nothing_of_a_target_is_refused_before_the_first_fit(tmp_path: Path) -> None:
    frame, _ = frame_of()
    frame.loc[frame.fold == 1, "a"] = np.nan
    inputs = frame.drop(columns="site")
    with pytest.raises(
        KitError, match=r"^of the rows that fold 1 is scored on none has a label of 'a'; take fewer folds"
    ):
        cross_validate(
            inputs, target=NAMES, members=Linear(), folds=Predefined(column="fold"), aside="fold", folder=tmp_path / "r"
        )
    assert not list(tmp_path.glob("r/linear*"))


def test_a_metric_of_all_targets_together_is_refused_before_the_first_fit(tmp_path: Path) -> None:
    frame, _ = frame_of()
    inputs = frame.drop(columns=["site", "fold"])
    worst = Metric(lambda y, p: float(np.abs(y - p).max()), "worst", greater_is_better=False)
    with pytest.raises(KitError, match="metric worst does not fit a multilabel task: labels are missing in .* fits$"):
        cross_validate(inputs, target=NAMES, members=Linear(), metric=worst, folds=KFold(n=3))
    found = cross_validate(inputs, target=NAMES, members=Linear(), metric=micro_f1, folds=KFold(n=3))
    assert 0.9 < found.session.blend().score <= 1, "it scores all known labels together"


def test_the_only_target_keeps_its_refusal() -> None:
    frame, _ = frame_of()
    with pytest.raises(KitError, match="labels of 'a' are missing"):
        cross_validate(frame[["x", "a"]], target="a", members=Linear())
    with pytest.raises(KitError, match=f"y: {N} labels of 'b' are missing"):
        cross_validate(frame[["x", "a"]].assign(b=np.nan), target=NAMES, members=Linear())

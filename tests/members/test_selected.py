"""Selection of columns: each way keeps what tells the label, and the score of choosing on noise is honest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kit import (
    NBSVM,
    AdversarialDrop,
    Boost,
    Estimator,
    KitError,
    Linear,
    Member,
    NullImportance,
    Perceptron,
    PermutationImportance,
    Rows,
    Seeds,
    Selected,
    Stage,
    Stepwise,
    TargetEncoding,
    Task,
    roc_auc,
)
from kit.members.selection.selected import SelectedPredictor
from kit.members.selection.selection import Selection
from kit.metrics.intervals import bootstrap
from kit.rows import Rows as RowsType

TASK = Task(name="t", kind="binary", targets="y", metric=roc_auc)
SMALL = Boost(trees=30, patience=None, num_leaves=7)


def rows_of(n: int = 400, seed: int = 0) -> RowsType:
    """Two columns that tell the label, a category that does too, and twelve of noise."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    city = rng.choice(["Rome", "Oslo", "Lima"], n)
    noise = {f"noise{i}": rng.normal(size=n) for i in range(12)}
    y = a + b + 1.5 * (city == "Rome") + 0.5 * rng.normal(size=n) > 0.5
    return Rows.of(TASK, pd.DataFrame({"a": a, "b": b, "city": city, **noise}), y.astype(float))


def halves(rows: RowsType) -> tuple[RowsType, RowsType]:
    cut = len(rows) * 2 // 3
    return rows.take(np.arange(cut)), rows.take(np.arange(cut, len(rows)))


@pytest.mark.parametrize(
    "by", [NullImportance(rounds=8), PermutationImportance(above=0.003)], ids=["null", "permutation"]
)
def test_importance_keeps_what_tells_the_label(by: Selection, tmp_path: Path) -> None:
    train, valid = halves(rows_of())
    member = Selected(member=SMALL, by=by)
    fitted = member.learn(train, valid, tmp_path)
    kept = set(fitted.choice.kept)
    assert {"a", "b", "city"} <= kept and len(kept) <= 7
    assert set(fitted.predictor.columns.names) == kept  # the member reads no others
    assert roc_auc(valid.labels, fitted.predict(valid)) > 0.85
    changed = valid.source.frame.assign(**{c: 9.0 for c in valid.source.frame if c not in kept})
    other = Rows.of(TASK, changed).take(valid.at)
    np.testing.assert_array_equal(fitted.predict(other), fitted.predict(valid))


def test_null_importance_is_not_taken_in_by_many_rare_values(tmp_path: Path) -> None:
    rows = rows_of(600)
    rng = np.random.default_rng(4)
    frame = rows.source.frame[["a", "noise0"]].assign(key=[f"k{i}" for i in rng.integers(0, 300, 600)])
    planted = Rows.of(TASK, frame, rows.labels)
    member = Boost(trees=30, patience=None, features=(TargetEncoding(keys="key"),))
    fitted = Selected(member=member, by=NullImportance(rounds=10, quantile=1.0)).learn(*halves(planted), tmp_path)
    assert "a" in fitted.choice.kept and "mean of y by key" not in fitted.choice.kept
    assert fitted.choice.fits == 11


def test_the_score_of_choosing_on_noise_is_honest(tmp_path: Path) -> None:
    """Chosen on all rows, the best of 300 columns of noise seem to tell the label; chosen in the fold they do not."""
    rng = np.random.default_rng(7)
    n = 240
    frame = pd.DataFrame(rng.normal(size=(n, 300)), columns=[f"c{i}" for i in range(300)])
    rows = Rows.of(TASK, frame, (rng.random(n) < 0.5).astype(float))
    by, member = NullImportance(rounds=3), Linear(C=0.01)
    everything = by.choose(member, rows, rows.take(np.arange(0)), tmp_path).kept
    honest, naive = np.zeros((n, 1)), np.zeros((n, 1))
    for fold in range(4):
        train, valid = (rows.take(np.flatnonzero((np.arange(n) % 4 == fold) == judged)) for judged in (False, True))
        folder = tmp_path / str(fold)
        folder.mkdir()
        honest[valid.at] = Selected(member=member, by=by).learn(train, valid, folder).predict(valid)
        naive[valid.at] = member.learn(replace(train, columns=everything), valid, folder).predict(valid)
    score = bootstrap(roc_auc, rows.labels, honest, 300)
    assert score.low < 0.5 < score.high
    assert roc_auc(rows.labels, naive) > 0.65


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_groups_of_columns_join_and_leave(direction: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 500
    key, noise = rng.integers(0, 20, n), rng.integers(0, 150, n)
    y = (rng.random(20)[key] + 0.3 * rng.normal(size=n) > 0.5).astype(float)
    rows = Rows.of(TASK, pd.DataFrame({"key": key, "noise": noise}), y)
    features = (TargetEncoding(keys="key"), TargetEncoding(keys="noise", smooth=0))
    member = Linear(features=features)
    by = Stepwise(direction=direction, inner=2, least=0.01)
    fitted = Selected(member=member, by=by).learn(*halves(rows), tmp_path)
    assert "mean of y by key" in fitted.choice.kept and "mean of y by noise" not in fitted.choice.kept
    assert fitted.choice.fits <= 2 * (1 + 3 * 4 // 2)
    few = Stepwise(direction=direction, inner=2, most=3).choose(member, rows, rows.take(np.arange(0)), tmp_path / "few")
    assert few.fits <= 3 and few.kept


def test_columns_that_tell_test_from_train_go(tmp_path: Path) -> None:
    rows = rows_of(400)
    frame = rows.source.frame.copy()
    frame["moved"] = np.where(np.arange(400) < 300, 0.0, 5.0) + np.random.default_rng(2).normal(size=400)
    whole = Rows.of(TASK, frame)
    train, valid = (Rows(TASK, whole.source, at, rows.labels[at]) for at in (np.arange(200), np.arange(200, 300)))
    fitted = Selected(member=SMALL, by=AdversarialDrop()).learn(train, valid, tmp_path)
    assert "moved" not in fitted.choice.kept and {"a", "b", "city"} <= set(fitted.choice.kept)
    alone = AdversarialDrop().choose(SMALL, rows, rows.take(np.arange(0)), tmp_path)
    assert len(alone.kept) == 15 and alone.fits == 0  # there are no test rows


FEW = Stage(epochs=2, precision="fp32")


@pytest.mark.parametrize(
    "member",
    [SMALL, Linear(), Estimator("sklearn.tree.DecisionTreeClassifier", max_depth=3), Perceptron(stage=FEW),
     Seeds(member=SMALL, n=2), Boost(trees=20, monotone=(("a", 1), ("noise1", 1)), features=(TargetEncoding(),))],
    ids=["Boost", "Linear", "Estimator", "Perceptron", "Seeds", "monotone"],
)  # fmt: skip
def test_every_member_of_columns_can_be_selected_for_and_is_kept(member: Member, tmp_path: Path) -> None:
    train, valid = halves(rows_of())
    fitted = Selected(member=member, by=NullImportance(rounds=3)).learn(train, valid, tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    fitted.save(kept)
    again = SelectedPredictor.load(kept)
    np.testing.assert_array_equal(again.predict(valid), fitted.predict(valid))
    assert again.choice == fitted.choice and 2 <= len(fitted.choice.kept) < 15


def test_what_reads_no_columns_is_refused() -> None:
    with pytest.raises(KitError, match="NBSVM reads no columns that could be chosen; take Boost or Linear"):
        Selected(member=NBSVM())

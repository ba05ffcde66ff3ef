"""TransformedTarget: against scikit-learn's, and what its predictions are made of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import skew
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge

from kit import Boost, KitError, Linear, Perceptron, Rows, Stage, Task, TransformedTarget, mae, rmsle, roc_auc
from kit.members.transformed_target import TargetScale, TransformedTargetPredictor
from kit.testing import check_member, sample_rows

TASK = Task(name="t", kind="regression", targets="price", metric=rmsle)


def rows_of(n: int = 300, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    return Rows.of(TASK, pd.DataFrame(x, columns=["a", "b"]), np.expm1(3 + x[:, 0] + 0.1 * rng.normal(size=n)))


def test_it_is_scikit_learns(tmp_path: Path) -> None:
    rows, other = rows_of(), rows_of(50, seed=1)
    made = TransformedTarget(member=Linear(C=1.0), transform="log1p").learn(rows, rows, tmp_path).predict(other)
    plain = Linear(C=1.0).learn(Rows(TASK, rows.source, rows.at, np.log1p(rows.labels)), rows, tmp_path)
    np.testing.assert_allclose(made, np.expm1(plain.predict(other)))
    ridge = TransformedTargetRegressor(Ridge(alpha=1e-6), func=np.log1p, inverse_func=np.expm1)
    expected = ridge.fit(rows.frame, rows.labels[:, 0]).predict(other.frame)
    free = TransformedTarget(member=Linear(C=1e6), transform="log1p").learn(rows, rows, tmp_path).predict(other)
    np.testing.assert_allclose(free[:, 0], expected, rtol=0.01)


@pytest.mark.parametrize("transform", ["log1p", "sqrt", "ranks"])
def test_values_come_back(transform: str) -> None:
    y = np.append(np.random.default_rng(0).lognormal(size=800), np.nan)
    scale = TargetScale.of(transform, y)  # type: ignore[arg-type]
    changed = scale.apply(y)
    np.testing.assert_allclose(scale.undo(changed), y, rtol=1e-6)
    assert np.isnan(changed[-1]) and abs(skew(changed[:-1])) < skew(y[:-1]) / 2
    order = np.argsort(y[:-1])
    assert (np.diff(changed[order]) > 0).all()
    if transform == "ranks":
        assert abs(changed[:-1].mean()) < 1e-6 and changed[:-1].std() == pytest.approx(1, abs=0.01)
        assert scale.undo(np.array([-99.0, 99.0])).tolist() == [y[:-1].min(), y[:-1].max()]  # no label lies beyond


def test_equal_labels_share_a_rank() -> None:
    scale = TargetScale.of("ranks", np.array([0.0] * 60 + [1.0, 2.0, 3.0, 4.0] * 10))
    zeros, ones = scale.apply(np.array([0.0, 1.0]))
    assert zeros == pytest.approx(-0.524, abs=0.02)  # the normal quantile of 0.3, the middle of 0 to 0.6
    assert ones == pytest.approx(0.385, abs=0.03)  # of 0.65
    assert scale.undo(np.array([zeros])) == 0


@pytest.mark.parametrize(
    "member", [Boost(trees=80, lr=0.1), Perceptron(stage=Stage(epochs=40, lr=1e-2, precision="fp32"))],
    ids=lambda member: type(member).__name__,
)  # fmt: skip
def test_a_long_tail_is_learnt_better(member: object, tmp_path: Path) -> None:
    rows, other = rows_of(), rows_of(200, seed=1)
    scores = [
        rmsle(other.labels, np.maximum(m.learn(rows, other, tmp_path / str(i)).predict(other), 0))
        for i, m in enumerate((member, TransformedTarget(member=member)))  # type: ignore[arg-type]
        if not (tmp_path / str(i)).mkdir()
    ]
    assert scores[1] < scores[0]


@pytest.mark.parametrize("transform", ["log1p", "sqrt", "ranks"])
def test_it_keeps_the_contract(transform: str, tmp_path: Path) -> None:
    task = Task(name="r", kind="regression", targets=("y", "z"), inputs=("x", "k"), metric=mae)
    rows = sample_rows(task)
    positive = Rows(rows.task, rows.source, rows.at, np.abs(rows.labels))
    check_member(TransformedTarget(member=Boost(trees=5, min_leaf=3), transform=transform), positive, tmp_path)


def test_labels_missing_in_one_target_stay_missing(tmp_path: Path) -> None:
    task = Task(name="r", kind="regression", targets=("y", "z"), metric=mae)
    x = np.arange(1, 61.0)
    y = np.stack([x, np.where(x % 2, np.nan, 2 * x)], axis=1)
    rows = Rows.of(task, pd.DataFrame({"x": x}), y)
    fitted = TransformedTarget(member=Boost(trees=200, min_leaf=1, patience=None, lr=0.1, rows=1.0, l2=0.0)).learn(
        rows, rows, tmp_path
    )
    p = fitted.predict(rows)
    assert np.corrcoef(p[:, 0], x)[0, 1] > 0.97 and np.corrcoef(p[:, 1], 2 * x)[0, 1] > 0.97
    assert 1.8 < np.median(p[:, 1] / p[:, 0]) < 2.2
    fitted.save(tmp_path)
    assert np.array_equal(TransformedTargetPredictor.load(tmp_path).predict(rows), fitted.predict(rows))


def test_what_has_no_transform_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="^TransformedTarget changes the scale of values, and task 'b' is binary; take"):
        TransformedTarget().check(Task(name="b", kind="binary", targets="y", metric=roc_auc))
    rows = rows_of()
    below = Rows(TASK, rows.source, rows.at, rows.labels - 100)
    with pytest.raises(KitError, match="transform = sqrt has no value for the label -.*; take ranks"):
        TransformedTarget(transform="sqrt").learn(below, below, tmp_path)
    TransformedTarget(member=Boost(trees=3), transform="ranks").learn(below, below, tmp_path)
    some = TransformedTarget(member=Boost(trees=3)).learn(rows, below, tmp_path)  # labels that are scored may be any
    assert np.isfinite(some.predict(below)).all()

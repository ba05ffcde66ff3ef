"""Target encodings: scikit-learn's numbers, nothing leaks, and what the settings say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import TargetEncoder

from kit import Boost, Features, KitError, Rows, TargetEncoding, Task, roc_auc
from kit.features.target_encoding import FittedTargetEncoding
from kit.features.targets import inner_folds
from kit.metrics.intervals import bootstrap

KINDS = {
    "binary": Task(name="t", kind="binary", targets="y", metric=roc_auc),
    "regression": Task(name="t", kind="regression", targets="y", metric=roc_auc),
    "multiclass": Task(name="t", kind="multiclass", targets="y", metric=roc_auc, classes=("p", "q", "r")),
}


def rows_of(kind: str, n: int = 300, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    city = rng.choice(["Rome", "Oslo", "Lima", "Bern", None], n, p=[0.4, 0.3, 0.2, 0.05, 0.05])
    trade = rng.choice(["baker", "smith", "judge"], n)
    signal = (city == "Rome") * 1.0 + (trade == "baker") + rng.normal(size=n)
    y = {"binary": signal > 1, "regression": 1e6 + signal, "multiclass": np.digitize(signal, [0, 1])}[kind]
    frame = pd.DataFrame({"city": city.astype(object), "trade": trade, "x": rng.normal(size=n)})
    return Rows.of(KINDS[kind], frame, y.astype(float))


@pytest.mark.parametrize("smooth", ["auto", 0.0, 7.5])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_of_scikit_learn(kind: str, smooth: float | str) -> None:
    rows = rows_of(kind)
    train, others = rows.take(np.arange(200)[::-1]), rows.take(np.arange(200, 300))
    fitted, crossed = TargetEncoding(smooth=smooth).fit_transform(train)
    plan = inner_folds(train, 5, 0)
    type_ = {"regression": "continuous"}.get(kind, kind)

    def theirs(fit: Rows, seen: Rows) -> np.ndarray:
        encoder = TargetEncoder(smooth=smooth, target_type=type_)
        x, other = (r.frame[["city", "trade"]].astype(object) for r in (fit, seen))
        found = encoder.fit(x, fit.labels[:, 0]).transform(other)
        # scikit-learn has the classes of a column side by side, kit the columns of a class
        return found if kind != "multiclass" else found.reshape(len(seen), 2, 3).transpose(0, 2, 1).reshape(-1, 6)

    np.testing.assert_allclose(fitted.transform(others), theirs(train, others), rtol=1e-9)
    for fold in range(5):
        inside = np.flatnonzero(plan == fold)
        rest = theirs(train.take(np.flatnonzero(plan != fold)), train.take(inside))
        np.testing.assert_allclose(crossed.to_numpy()[inside], rest, rtol=1e-9)


def test_statistics_are_those_of_pandas() -> None:
    rows = rows_of("regression")
    spec = TargetEncoding(keys=("trade", ("city", "trade")), statistics=("mean", "std", "count", "q25"), smooth=0)
    fitted, _ = spec.fit_transform(rows)
    found = fitted.transform(rows)
    frame = rows.frame.assign(y=rows.labels[:, 0])
    for key, columns in {"trade": ["trade"], "city × trade": ["city", "trade"]}.items():
        y = frame.groupby(columns, dropna=False).y
        for name, theirs in {
            "mean": y.transform("mean"),
            "std": y.transform("std", ddof=0),
            "count": y.transform("size"),
            "q25": y.transform("quantile", 0.25),
        }.items():
            np.testing.assert_allclose(found[f"{name} of y by {key}"], theirs, rtol=1e-9, atol=1e-6)


def test_gaps_in_labels_are_left_out_target_by_target() -> None:
    task = Task(name="t", kind="multilabel", targets=("a", "b"), metric=roc_auc)
    frame = pd.DataFrame({"key": list("uuuvvv"), "x": 0.0})
    y = np.array([[1, np.nan], [0, 1], [np.nan, 1], [1, 0], [1, 0], [0, np.nan]])
    fitted, crossed = TargetEncoding(smooth=0, inner=2).fit_transform(Rows.of(task, frame, y))
    found = fitted.transform(Rows.of(task, pd.DataFrame({"key": ["u", "v", "new"], "x": 0.0})))
    np.testing.assert_allclose(found["mean of a by key"], [1 / 2, 2 / 3, 3 / 5])
    np.testing.assert_allclose(found["mean of b by key"], [1, 0, 1 / 2])
    assert np.isfinite(crossed.to_numpy()).all()


def test_groups_share_an_inner_fold_and_the_order_of_rows_does_not_matter() -> None:
    rows = rows_of("binary")
    groups = np.arange(300) // 3
    tied = Rows(rows.task, rows.source, rows.at, rows.y, groups=groups)
    plan = inner_folds(tied, 5, 0)
    assert all(len(set(plan[groups == g])) == 1 for g in range(100)) and len(set(plan)) == 5
    order = np.random.default_rng(3).permutation(300)
    _, straight = TargetEncoding().fit_transform(rows)
    _, mixed = TargetEncoding().fit_transform(rows.take(order))
    np.testing.assert_allclose(mixed, straight.to_numpy()[order], rtol=1e-12)


def noise(n: int = 3000) -> Rows:
    """Labels that nothing tells, and a category of about two rows a value."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"key": [f"k{i}" for i in rng.integers(0, n // 2, n)]})
    return Rows.of(KINDS["binary"], frame, (rng.random(n) < 0.5).astype(float))


class Naive(Features):
    """Target encoding that gives train rows a value with their own label in it."""

    def fit_transform(self, train: Rows) -> tuple[FittedTargetEncoding, pd.DataFrame]:
        fitted, _ = TargetEncoding(keys="key", smooth=1).fit_transform(train)
        return fitted, fitted.transform(train)


def test_pure_noise_does_not_leak(tmp_path: Path) -> None:
    """The naive encoding tells train rows their labels (AUC above 0.8); the cross-fitted one tells nobody anything."""
    rows = noise()
    train_auc, score = {}, {}
    for features in (TargetEncoding(keys="key", smooth=1), Naive()):
        name, member = type(features).__name__, Boost(features=(features,), trees=30, patience=None)
        _, values = features.fit_transform(rows)
        train_auc[name] = roc_auc(rows.labels, values.to_numpy()[:, :1])
        p = np.zeros((len(rows), 1))
        for fold in range(3):
            train, valid = (rows.take(np.flatnonzero((np.arange(len(rows)) % 3 == fold) == v)) for v in (False, True))
            p[valid.at] = member.learn(train, valid, tmp_path).predict(valid)
        score[name] = bootstrap(roc_auc, rows.labels, p, 300)
    assert train_auc["Naive"] > 0.8 and abs(train_auc["TargetEncoding"] - 0.5) < 0.06
    assert score["TargetEncoding"].low < 0.5 < score["TargetEncoding"].high


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(KitError, match="statistic 'median' is unknown; there are mean, std, count, and q25"):
        TargetEncoding(statistics="median")
    task = Task(name="t", kind="binary", targets="y", metric=roc_auc, inputs=("city",))
    with pytest.raises(KitError, match="TargetEncoding: task 't' has no column 'citty'; did you mean 'city'?"):
        TargetEncoding(keys="citty").check(task)
    numbers = Rows.of(KINDS["binary"], pd.DataFrame({"x": [1.0, 2.0]}), np.array([0.0, 1.0]))
    with pytest.raises(KitError, match="no columns of categories; name columns in keys"):
        TargetEncoding().fit_transform(numbers)

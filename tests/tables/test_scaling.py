"""Scaling: against scikit-learn's RobustScaler where that is right, and the columns on which it is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import RobustScaler

from kit.features.base import Features
from kit.metrics import roc_auc
from kit.rows import Rows
from kit.tables.matrix import Matrix
from kit.tables.scaling import Scaling
from kit.task import Task

RNG = np.random.default_rng(0)


def test_it_is_scikit_learns_robust_scaler() -> None:
    x = RNG.normal(3, 2, (400, 3)) * [1, 100, 1e-6]
    expected = RobustScaler(unit_variance=True).fit_transform(x)
    np.testing.assert_allclose(Scaling.of(x).transform(x), expected.clip(-5, 5), rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("value", [1e9, 1e308, -1e308, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("kind", ["normal", "counts", "nearly constant"])
def test_one_odd_value_moves_no_other(value: float, kind: str) -> None:
    x = {
        "normal": RNG.normal(size=500),
        "counts": RNG.poisson(0.2, 500).astype(float),
        "nearly constant": (np.arange(500) % 50 == 0) * RNG.uniform(1, 5, 500),
    }[kind][:, None]
    odd = x.copy()
    odd[7] = value
    plain, other = Scaling.of(x).transform(x), Scaling.of(odd).transform(odd)
    rest = np.arange(500) != 7
    np.testing.assert_allclose(other[rest], plain[rest], atol=0.25)
    assert plain[rest].std() > 0.05  # a column that tells something still does
    assert other[7] == (0 if np.isnan(value) else 5 * np.sign(value))


def test_columns_that_say_nothing() -> None:
    x = np.array([[np.nan, 4.0, np.inf], [np.nan, 4.0, -np.inf]])
    np.testing.assert_array_equal(Scaling.of(x).transform(x), [[0, 0, 5], [0, 0, -5]])


class Length(Features):
    """Letters of the first column, minus 3."""

    def compute(self, source, task):  # type: ignore[no-untyped-def]
        return source.frame["kind"].astype(str).str.len().to_numpy(np.float32)[:, None] - 3


def test_matrix_stores_only_ones_of_a_category_and_comes_back_from_its_files(tmp_path: Path) -> None:
    task = Task(name="t", kind="binary", targets=("y",), metric=roc_auc)
    frame = pd.DataFrame({"kind": [f"k{i}" for i in range(300)], "x": np.arange(300.0)})
    rows = Rows.of(task, frame)
    matrix, _ = Matrix.fit(rows.take(np.arange(299)), (Length(),))
    matrix.save(tmp_path)
    back = Matrix.load(tmp_path)
    sparse = back.transform(rows)
    assert sparse.shape == (300, 2 + 299) and sparse.nnz <= 300 * 3
    dense = matrix.transform(rows).toarray()
    np.testing.assert_allclose(sparse.toarray(), dense, rtol=1e-6)
    assert dense[:299, 2:].sum(axis=1).tolist() == [1] * 299 and dense[299, 2:].sum() == 0  # a new value is none

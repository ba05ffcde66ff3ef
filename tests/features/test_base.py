"""Features that are fitted in the fold: every member learns from cross-fitted values, and predicts with the others."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pytest

from kit import Boost, Estimator, Features, KitError, Linear, Member, Module, Perceptron, Rows, Stage, Task, roc_auc
from kit.core.files import read_json, write_json
from kit.features.base import FittedFeatures

TASK = Task(name="t", kind="binary", targets="y", metric=roc_auc, inputs=("x", "key"))


class Remembered(FittedFeatures):
    """The label of each key that was fitted on; 0.5 for others."""

    def __init__(self, labels: dict[str, float]) -> None:
        self.labels = labels

    def transform(self, rows: Rows) -> pd.DataFrame:
        keys = rows.frame["key"].astype(str)
        known = keys.map(self.labels).astype(float).fillna(0.5)
        return pd.DataFrame({"label, remembered": known, "first letter": "k" + keys.str[-1]})

    def save(self, folder: Path) -> None:
        write_json(folder / "labels.json", self.labels)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(read_json(folder / "labels.json"))


class Remember(Features):
    """What would leak if train rows were given what is said of others: its own label."""

    def fit_transform(self, train: Rows) -> tuple[FittedFeatures, pd.DataFrame]:
        fitted = Remembered(dict(zip(train.frame["key"].astype(str), map(float, train.labels[:, 0]), strict=True)))
        return fitted, fitted.transform(train).assign(**{"label, remembered": 0.5})


def rows_of(n: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (x + 0.3 * rng.normal(size=n) > 0).astype(float)
    return Rows.of(TASK, pd.DataFrame({"x": x, "key": 1000 + rng.permutation(n)}), y)


def tower(inputs):  # type: ignore[no-untyped-def]
    from torch import nn

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.LazyLinear(inputs.outputs)
            self.linear.initialize_parameters(__import__("torch").zeros(1, inputs.numbers))

        def forward(self, numbers, categories):  # type: ignore[no-untyped-def]
            return self.linear(numbers)

    return Tower()


FEW = Stage(epochs=4, min_steps=60, lr=1e-2, precision="fp32")


@pytest.mark.parametrize(
    "member",
    [
        Linear(features=(Remember(),)),
        Boost(features=(Remember(),), trees=20, patience=None),
        Estimator("sklearn.tree.DecisionTreeClassifier", max_depth=2, features=(Remember(),)),
        Perceptron(features=(Remember(),), hidden=(8,), stage=FEW),
        Module(build=tower, features=(Remember(),), stage=FEW),
    ],
    ids=lambda member: type(member).__name__,
)
def test_members_learn_from_cross_fitted_values_and_keep_what_was_fitted(member: Member, tmp_path: Path) -> None:
    rows = rows_of(240)
    order = np.random.default_rng(1).permutation(240)  # positions of train rows are in no order
    train, valid = rows.take(order[:160]), rows.take(order[160:])
    member.check(TASK)
    member.prepare(train)
    fitted = member.learn(train, valid, tmp_path)
    found = fitted.predict(valid)
    assert roc_auc(valid.labels, found) > 0.9  # of who learnt from remembered labels it would be about 0.5
    kept = tmp_path / "kept"
    kept.mkdir()
    fitted.save(kept)
    again = type(fitted).load(kept)
    np.testing.assert_array_equal(again.predict(valid), found)
    # loaded, it says of train rows what it says of rows with their label; the fitted one must agree on others' rows
    other = rows_of(50, seed=5)
    np.testing.assert_array_equal(again.predict(other), fitted.predict(other))


def test_names_say_what_columns_are() -> None:
    from kit.tables.columns import Columns

    columns, frame = Columns.fit(rows_of(20), (Remember(), Remember()))
    assert columns.names == (
        "x", "key", "label, remembered", "first letter", "label, remembered (2)", "first letter (2)",
    )  # fmt: skip
    assert [str(dtype) for dtype in frame.dtypes] == [
        "float64",
        "float64",
        "float64",
        "category",
        "float64",
        "category",
    ]


def test_features_without_values_are_refused() -> None:
    class Nothing(Features):
        pass

    with pytest.raises(KitError, match="neither compute nor fit_transform"):
        Nothing()
    with pytest.raises(KitError, match="Remember is fitted on the train rows of a fold; it has no values before"):
        Remember().of(rows_of(5))
